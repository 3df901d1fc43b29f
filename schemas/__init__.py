"""What a study, a feature set, a split and a result are: types and checks, no I/O."""

from schemas.errors import ContractError, NotFoundError, RadzooError, StoreBusyError, UnfinishedError, UsageError

__all__ = ["ContractError", "NotFoundError", "RadzooError", "StoreBusyError", "UnfinishedError", "UsageError"]

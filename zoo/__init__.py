"""The model zoo: selection, estimators, evaluation, all reading from the store."""

# Models are met through `store.open_store`; modules are named where they are imported, and promise nothing.
__all__: list[str] = []

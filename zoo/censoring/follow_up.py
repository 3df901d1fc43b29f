"""How long the patients of a study are followed, and how likely it is not to be lost before a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from schemas.errors import ContractError
from schemas.study.file import Study
from schemas.study.outcomes import EventOutcome
from store.history.snapshot import Snapshot

__all__ = ["FollowUp", "follow_up"]


@dataclass(frozen=True)
class FollowUp:
    """The ends of a study's follow-up."""

    ends: Mapping[str, float]
    """Of each patient with a label: the time of the event, or how long the patient is followed without it."""
    censored: tuple[float, ...]
    """When those were lost who have no label: before the horizon, without the event. Rising."""

    def of_others(self, donors: Mapping[str, str]) -> Self:
        """Return the ends as they are where patients are given the outcome of others, as a control does."""
        return replace(self, ends={patient: self.ends[donors.get(patient, patient)] for patient in self.ends})

    def chances(self, training: Sequence[str]) -> NDArray[np.float64]:
        r"""Return each training patient's chance of not having been lost before the end that gave the label.

        .. math:: G(t-) = \prod_{c < t} \left(1 - \frac{f d_c}{n_c + f m_c}\right)

        Kaplan and Meier's estimate, where censoring is what happens: c are the times of censoring, d_c how many are
        lost then and m_c how many then or later, n_c how many training patients end later: of an event and a censoring
        at one time the event comes first. f is the training patients' share of those with a label. Who has no label
        is in no cohort of a split and in no fold, so that as large a share of them counts as is in training; of
        patients who do not train nothing counts.

        Parameters
        ----------
        training : sequence of str
            The patients of a cohort or a fold, all of them with a label.

        Returns
        -------
        ndarray of shape (n_patients,)
            Above 0, for each training patient is at risk until the own end; 1 where nobody is lost before it.

        References
        ----------
        Vock DM et al., J Biomed Inform 2016;61:119, doi:10.1016/j.jbi.2016.03.009. Docs/adr/0062 has the share.
        """
        own = np.array([self.ends[patient] for patient in training], dtype=np.float64)
        if not self.censored:
            return np.ones(len(own))
        share = len(own) / len(self.ends)
        times, lost = np.unique(np.array(self.censored), return_counts=True)
        later = len(own) - np.searchsorted(np.sort(own), times, side="right")
        staying = later + share * np.cumsum(lost[::-1])[::-1]
        remaining = np.concatenate([[1.0], np.cumprod(1.0 - share * lost / staying)])
        # How many times of censoring lie before the own end; after the horizon there is none.
        found: NDArray[np.float64] = remaining[np.searchsorted(times, own, side="left")]
        return found


def follow_up(snapshot: Snapshot, study: Study) -> FollowUp:
    """Return the follow-up of a study's patients.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study : Study
        One whose label comes from an event, a time and a horizon.

    Raises
    ------
    ContractError
        If the store does not have the time of a patient who has a label, in the study's unit.
    """
    outcome = study.outcome
    if not isinstance(outcome, EventOutcome):
        raise ContractError(
            "the outcome has no times, so nobody is censored",
            where=f"study '{study.id}'",
            hint='give [outcome] kind = "time_to_event", then radzoo ingest it again',
        )
    observed = {row["patient"]: row for row in snapshot.rows("outcomes", outcome=outcome.name)}
    ends, censored = {}, []
    for row in snapshot.rows("labels", study=study.id):
        found = observed.get(row["patient"])
        is_known = (
            found is not None
            and found["event"] is not None
            and found["time"] is not None
            and found["time_unit"] == outcome.unit
        )
        if row["label"] is not None:
            if found is None or not is_known:
                raise ContractError(
                    f"patient '{row['patient']}' has a label and no time of '{outcome.name}' in {outcome.unit}: what "
                    "patients weigh cannot be told",
                    where=f"study '{study.id}'",
                    hint="radzoo ingest the study file again",
                )
            ends[row["patient"]] = float(found["time"])
        elif found is not None and is_known and not found["event"] and found["time"] < outcome.horizon:
            censored.append(float(found["time"]))
    return FollowUp(ends, tuple(sorted(censored)))

"""What a comparator is: name, source, inputs, direction, and the function that judges one patient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from zoo.staging.inputs import Input, Observation, reading
from zoo.staging.results import Score, Stage

__all__ = ["Comparator"]


@dataclass(frozen=True)
class Comparator:
    """A published staging, score or ratio.

    Attributes
    ----------
    name : str
        As on the command line and in the leaderboard.
    title : str
        For people.
    citation, doi : str
        The source of the definition, and of the direction.
    kind : {'stage', 'score'}
        What ``judge`` returns.
    inputs : Mapping[str, Input]
        Name of an input -> the unit or the levels that ``judge`` wants.
    judge : callable
        Takes the inputs as keyword arguments, None for a missing one, and returns a Stage or a Score.
    worse : {'high', 'low'}
        Which end speaks for the worse outcome, as published; never learnt from data.
    grades : tuple of str
        All stages, grades or risk groups from mild to worst; empty where a score has none.
    assumptions : tuple of str
        What is taken for granted, because no input tells.
    is_one_draw : bool
        Whether all inputs must be observed at the same time.
    """

    name: str
    title: str
    citation: str
    doi: str
    kind: Literal["stage", "score"]
    inputs: Mapping[str, Input]
    judge: Callable[..., Stage | Score]
    worse: Literal["high", "low"] = "high"
    grades: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    is_one_draw: bool = False

    def assess(self, observations: Mapping[str, Observation]) -> Stage | Score:
        """Return the stage or score of one patient.

        Parameters
        ----------
        observations : Mapping[str, Observation]
            By the names of ``inputs``, each in its own unit; what is not there is missing. Others are ignored.
        """
        seen = reading(self.inputs, observations)
        reason = seen.reason or self._different_draws(observations)
        if reason is not None:
            return Stage(None, None, reason) if self.kind == "stage" else Score(None, None, reason)
        result = self.judge(**seen.values)
        if isinstance(result, Score) and result.value is not None:
            return replace(result, notes=seen.notes + result.notes)
        return result

    def _different_draws(self, observations: Mapping[str, Observation]) -> str | None:
        times = {name: observations[name].observed_at for name in self.inputs if name in observations}
        if not self.is_one_draw or len(set(times.values())) < 2:
            return None
        return f"not of one draw: {', '.join(f'{name} {time}' for name, time in times.items())}"

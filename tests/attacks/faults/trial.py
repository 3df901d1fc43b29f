"""One trial: a store, a verb that a fault meets, what was said, and the same verb again when the fault is over."""

from __future__ import annotations

import shutil
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from attacks.faults.places import Places
from attacks.faults.processes import Verb, ended_within
from attacks.kills import content, findings
from store.home import Store

__all__ = ["Fault", "Outcome", "Trial", "tried"]

_HANGS_S = 240.0
Event = Callable[[Path], bool]
Place = Literal["local", "postgresql", "s3", "apart"]


@dataclass
class Trial:
    """What a fault works on."""

    root: Path
    folder: Path
    places: Places
    stack: ExitStack
    environment: dict[str, str] = field(default_factory=dict)
    prefix: list[str] = field(default_factory=list)
    verb: Verb | None = None
    heal: list[Callable[[], None]] = field(default_factory=list)
    """What ends the fault; called when the verb has ended."""

    @property
    def running(self) -> Verb:
        """Return the verb that was started."""
        assert self.verb is not None
        return self.verb


@dataclass(frozen=True)
class Fault:
    """What is done to a verb, when, and what its exit codes may be."""

    name: str
    inject: Callable[[Trial], None]
    """Called while the verb is held; before it starts where there is no event."""
    codes: tuple[int, ...]
    when: Event | None = None
    moment: str = "before it starts"
    verb: str = "refresh"
    place: Place = "local"
    prepare: Callable[[Trial], None] | None = None
    """Called before the verb starts."""
    needs: Callable[[], str | None] = lambda: None
    """Why it cannot be injected here, None where it can."""
    again: bool = True


@dataclass(frozen=True)
class Outcome:
    """What a fault came to."""

    code: int | None
    said: tuple[str, ...]
    seconds: float
    """From the fault to the verb's end."""
    again_s: float
    """How long the same command took when the fault was over."""
    faults: tuple[str, ...]
    lines: tuple[str, ...] = ()
    """What was said of waiting."""


VERBS: Mapping[str, tuple[str, Sequence[str]]] = {
    # Verb: the stage that it starts from, and its command line.
    "ingest": ("empty", ("ingest", "{study}")),
    "refresh": ("ingested", ("refresh", "--feature-set", "quick", "--workers", "2")),
    "train": ("refreshed", ("train", "cr", "radiomics_knn")),
    "bench": ("refreshed", ("bench", "cr", "radiomics_knn", "--workers", "2")),
}


def tried(fault: Fault, places: Places, folder: Path) -> Outcome:
    """Inject a fault, end it, run the verb again, and return what was found."""
    stage, arguments = VERBS[fault.verb]
    line = [each.format(study=places.study) for each in arguments]
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.mkdir()
        root = folder / "store"
        trial = Trial(root, folder, places, stack, dict(places.environment))
        if fault.prepare is not None and fault.place == "local":
            fault.prepare(trial)
        places.make(stage, fault.place, root)
        if fault.prepare is not None and fault.place != "local":
            fault.prepare(trial)
        if fault.when is None:
            fault.inject(trial)
        began = time.monotonic()
        verb = trial.verb = Verb(root, line, trial.environment, folder / "log", trial.prefix)
        faults = []
        if fault.when is not None:
            if verb.held_when(fault.when):
                try:
                    fault.inject(trial)
                finally:
                    began = time.monotonic()
                    verb.go_on()
            else:
                faults.append("the verb had ended before the fault")
        code = verb.ended(_HANGS_S)
        took = time.monotonic() - began
        if code is None:
            faults.append(f"it hangs for {_HANGS_S:.0f} s")
        elif code not in fault.codes:
            faults.append(f"exit code {code}")
        faults += _told_badly(verb, code)
        if left := ended_within(verb.mark, 10):
            faults.append(f"processes are left: {left}")
        for heal in reversed(trial.heal):
            heal()
        faults += [f"verify: {each}" for each in _found(root, findings) if "analyst.duckdb" not in each]
        again = Verb(root, line, places.environment, folder / "again")
        again_code = again.ended(_HANGS_S)
        again_s = time.monotonic() - again.began
        if again_code != 0:
            faults.append(f"again: exit code {again_code}: {' | '.join(again.last_lines())}")
        faults += _told_badly(again, again_code)
        faults += [f"verify at the end: {each}" for each in _found(root, findings)]
        expected = places.expected(fault.verb, line, stage)
        found = _found(root, lambda store: [content(store)])
        if isinstance(found[0], str):
            faults += found
        else:
            faults += [f"{name} differs" for name in expected if found[0][name] != expected[name]]
        left = [each.relative_to(root).as_posix() for each in root.rglob("*.partial*") if "segments" not in each.parts]
        faults += [f"half-written: {each}" for each in left if not each.startswith(("datasets", "models", "copies"))]
        waits = tuple(each for each in verb.said().splitlines() if "again" in each and not each.startswith("next"))
        return Outcome(code, tuple(verb.last_lines()), took, again_s, tuple(faults), waits)


def _told_badly(verb: Verb, code: int | None) -> list[str]:
    said = verb.said()
    faults = []
    if "Traceback" in said:
        faults.append(f"a traceback: {said[-1500:]}")
    if "fault of radzoo" in said:
        faults.append(f"called a fault of radzoo: {' | '.join(verb.last_lines())}")
    if code not in (0, None) and code > 0 and "next: " not in said and code != 5:
        faults.append("no next step")
    return faults


def _found(root: Path, ask: Callable[[Store], list]) -> list:  # type: ignore[type-arg]
    try:
        store = Store(root)
        try:
            return ask(store)
        finally:
            store.close()
    except Exception:
        return [traceback.format_exc(limit=-2)]

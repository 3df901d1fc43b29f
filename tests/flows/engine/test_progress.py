"""Progress in a log: how many steps are done, and how long the rest takes by what the steps weigh."""

from __future__ import annotations

import time

from flows.engine.progress import progress_bar


def test_the_time_left_follows_from_what_the_steps_weigh(capsys, monkeypatch):
    """One step of three that was nine tenths of the work leaves a ninth of the time it took."""
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with progress_bar("extracting s@1", 3, "extractions", work=10.0) as advance:
        now += 18.0
        advance(1, 9.0)
        now += 1.0
        advance(1, 0.5)
        advance(1, 0.5)
    assert capsys.readouterr().err.splitlines() == [
        "extracting s@1: 1 of 3 extractions, 18 s, about 2 s left",
        "extracting s@1: 3 of 3 extractions, 19.0 s",
    ]


def test_steps_that_weigh_alike_need_no_weights(capsys, monkeypatch):
    """Without weights each step is as long as any other."""
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with progress_bar("training", 4, "models") as advance:
        now += 12.0
        advance()
    assert capsys.readouterr().err.splitlines()[0] == "training: 1 of 4 models, 12 s, about 36 s left"

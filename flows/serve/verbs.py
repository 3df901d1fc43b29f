"""What a study is served of: the verbs that have a deployment, loaded without Prefect, for the verb's help."""

from __future__ import annotations

from typing import Literal, get_args

__all__ = ["BY_HAND", "SERVED_VERBS", "ServedVerb"]

ServedVerb = Literal["ingest", "refresh", "train", "bench", "report", "monitor", "expect", "compact"]

SERVED_VERBS: tuple[ServedVerb, ...] = get_args(ServedVerb)

BY_HAND = "by-hand"
"""In the place of a cron text: the deployment has no schedule, and runs where somebody starts it."""

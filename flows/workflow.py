"""What flows use of Prefect, loaded where its settings can be used; by one door.

Prefect reads its settings when it is imported, and a wrong one is an exception there and then. So every module takes
it from here, where what is wrong is a line with the next step.
"""

from __future__ import annotations

from importlib import import_module

from flows.prefect_settings import checked_settings, next_look, one_line
from schemas.errors import RadzooError

# Before Prefect itself is loaded.
checked_settings()
try:
    # By itself, for `from prefect import flow` would hide what its loading fails of.
    import_module("prefect.main")
    from prefect import State, flow, get_client, task, unmapped
    from prefect.cache_policies import NO_CACHE
    from prefect.client.base import ServerType
    from prefect.client.schemas.objects import StateType
    from prefect.deployments.runner import RunnerDeployment
    from prefect.runner import Runner
    from prefect.schedules import Cron
    from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings
    from prefect.task_runners import ThreadPoolTaskRunner
    from prefect.types.entrypoint import EntrypointType
except Exception as error:
    raise RadzooError(f"Prefect cannot be loaded: {one_line(error)}", hint=next_look()) from error

__all__ = [
    "NO_CACHE",
    "PREFECT_API_URL",
    "PREFECT_CLIENT_MAX_RETRIES",
    "Cron",
    "EntrypointType",
    "Runner",
    "RunnerDeployment",
    "ServerType",
    "State",
    "StateType",
    "ThreadPoolTaskRunner",
    "flow",
    "get_client",
    "task",
    "temporary_settings",
    "unmapped",
]

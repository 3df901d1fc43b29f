"""What flows use of Prefect, loaded where its settings can be used; by one door.

Prefect reads its settings when it is imported, and a wrong one is an exception there and then. So every module takes
it from here, where what is wrong is a line with the next step.
"""

from __future__ import annotations

import os
from importlib import import_module

from flows.engine.prefect_settings import checked_settings, chosen_secret, next_look, one_line
from flows.engine.server_secret import share_secret
from schemas.errors import RadzooError

# Before Prefect itself is loaded.
_settings = checked_settings()
if _settings.api.url is None:
    # A temporary server will be started, which asks for it.
    share_secret(os.environ, chosen_secret(_settings))
try:
    # By itself, for `from prefect import flow` would hide what its loading fails of.
    import_module("prefect.main")
    from prefect import State, flow, get_client, task, unmapped
    from prefect.artifacts import create_table_artifact
    from prefect.cache_policies import NO_CACHE
    from prefect.client.base import ServerType
    from prefect.client.schemas.objects import StateType
    from prefect.context import refresh_global_settings_context
    from prefect.deployments.runner import RunnerDeployment
    from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
    from prefect.flows import Flow
    from prefect.runner import Runner
    from prefect.schedules import Cron, Schedule
    from prefect.settings import (
        PREFECT_API_URL,
        PREFECT_CLIENT_MAX_RETRIES,
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
        get_current_settings,
        temporary_settings,
    )
    from prefect.task_runners import ThreadPoolTaskRunner
    from prefect.types.entrypoint import EntrypointType
except Exception as error:
    raise RadzooError(f"Prefect cannot be loaded: {one_line(error)}", hint=next_look()) from error
# To load the settings was to fix them, before the secret was among them.
refresh_global_settings_context()

__all__ = [
    "NO_CACHE",
    "PREFECT_API_URL",
    "PREFECT_CLIENT_MAX_RETRIES",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS",
    "Cron",
    "EntrypointType",
    "Flow",
    "ObjectAlreadyExists",
    "ObjectNotFound",
    "Runner",
    "RunnerDeployment",
    "Schedule",
    "ServerType",
    "State",
    "StateType",
    "ThreadPoolTaskRunner",
    "create_table_artifact",
    "flow",
    "get_client",
    "get_current_settings",
    "task",
    "temporary_settings",
    "unmapped",
]

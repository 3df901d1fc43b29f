"""Prefect's settings where the user has set none: no analytics, no log lines among the progress.

Import this module before Prefect. With ``PREFECT_API_URL`` set, the same code uses that server.
"""

from __future__ import annotations

import os

__all__: list[str] = []

# The analytics service writes to Prefect's SQLite while a flow does, and the two lock each other out.
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("PREFECT_LOGGING_LEVEL", "WARNING")
# The temporary server takes longer than Prefect's 20 seconds to come up on a busy machine.
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")

"""The batch flows and the command line: ingest, refresh, train, bench, report, serve."""

# What runs is run by the command line; modules are named where they are imported, and promise nothing.
__all__: list[str] = []

"""The batch flows and the command line: ingest, refresh, train, bench, report, serve."""

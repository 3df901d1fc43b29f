"""The catalogue as of a commit: its rows, what changed since, the runs, what something was computed from."""

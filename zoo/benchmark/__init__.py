"""The benchmark: folds, fits, both suites, controls, subgroups, the leaderboard."""

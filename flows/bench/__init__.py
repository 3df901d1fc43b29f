"""The verb bench, both suites."""

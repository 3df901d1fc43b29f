"""Patients that do not count alike: sums, and which steps of a fit take their weights."""

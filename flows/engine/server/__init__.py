"""Prefect's server: found, started for a while, watched, and shut to others."""

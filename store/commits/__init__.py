"""Commits: what lands, and what of it must be readable before it does."""

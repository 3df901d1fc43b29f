"""Hostile inputs and damages by the hundred: scripts that count outcomes, of which the tests run a quick share."""

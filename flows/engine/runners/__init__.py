"""Runners: where the work in pieces is done, on this machine or by workers of a cluster on several."""

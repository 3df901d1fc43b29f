"""The study file and its parts."""

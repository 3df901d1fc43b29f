"""Hostile inputs and the studies, models and images that they are made of: what the scripts beside draw from."""

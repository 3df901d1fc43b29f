"""A study file read and checked against its tables."""

"""The table of a folder that has one row per patient: which it is, what its columns may be, the lines about it."""

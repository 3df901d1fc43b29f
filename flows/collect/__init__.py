"""Exports that are left in a folder: taken once they are complete, quarantined with a reason otherwise."""

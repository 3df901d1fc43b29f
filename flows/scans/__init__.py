"""Scans and masks from files, each read in a child process."""

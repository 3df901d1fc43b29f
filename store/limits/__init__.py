"""Calls in a child process that may not write, with limits of memory and time."""

"""Faults of the machine, injected for real into running verbs: what was said, lost, left, and when it works again."""

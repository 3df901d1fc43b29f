"""Questions in a process without rights: what it may take and touch, and what is said where it has no answer."""

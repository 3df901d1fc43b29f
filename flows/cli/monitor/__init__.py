"""The verb that looks for drift."""

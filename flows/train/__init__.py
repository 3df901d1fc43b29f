"""The verb train."""

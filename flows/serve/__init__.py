"""The verb serve: studies that refresh on a schedule."""

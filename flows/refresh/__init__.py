"""The verb refresh: what is missing is computed and committed."""

"""The verb ``collect``."""

"""Keeping a store: compaction, verification."""

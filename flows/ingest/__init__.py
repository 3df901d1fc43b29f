"""The verb ingest: a study's tables and images into the store."""

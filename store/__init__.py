"""The versioned store: a catalogue, immutable Parquet segments, and SQL over both."""

"""Studies whose files name their patients."""

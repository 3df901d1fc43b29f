"""What a verb would change: rows, extractions, models, datasets and reports, and how long it would take."""

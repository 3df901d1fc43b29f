"""Who is in a study and what readers found in them, as an ingest counts and writes it."""

"""Who is in a study, which exams and lesions are read, what readers found: as an ingest counts and writes it."""

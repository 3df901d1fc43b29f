"""Values as people write them: numbers, dates and levels, and what each means."""

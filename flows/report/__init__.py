"""The report: one HTML page of a study, every number with the SQL that gives it."""

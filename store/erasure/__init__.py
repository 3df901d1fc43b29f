"""The erasure of a patient, from all commits and files."""

"""The cases of a study: who is in it, exams, lesions, what readers found, and what of them models read."""

"""The cases of a study: who is in it, which exams and lesions they have, and what of them models read."""

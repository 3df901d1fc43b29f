"""The cases of a study: which exams a patient has, which lesions an exam has, and what of them models read."""

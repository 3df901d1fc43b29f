"""The verbs of models, of the zoo's members and of datasets."""

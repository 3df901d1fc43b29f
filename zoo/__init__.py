"""The model zoo: selection, estimators, evaluation, all reading from the store."""

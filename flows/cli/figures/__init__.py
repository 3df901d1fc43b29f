"""Figures of models as verbs print them."""

"""Logistic regression: the clinical model, Firth's penalty, separation, missing values."""

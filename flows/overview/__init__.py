"""The overview: one HTML page of all features, what studies have of them, and what models were made of."""

"""What the rows of a feature set are, by its kind: one module a kind, one protocol, one look-up (`kind_of`)."""

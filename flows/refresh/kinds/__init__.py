"""The kinds of feature sets that are computed from images: one module a kind, one protocol, one look-up."""

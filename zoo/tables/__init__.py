"""The table that a model reads: bound to a study, pinned, made again."""

"""What a study, a feature set, a split and a result are: types and checks, no I/O."""

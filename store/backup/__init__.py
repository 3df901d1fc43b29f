"""A second store, brought up to date and checked."""

"""Attacks on a store, by the hundred: each module is a script with ``--count`` and ``--seed``."""

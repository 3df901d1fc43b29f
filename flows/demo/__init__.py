"""The demonstration study: published clinical counts, synthetic patients and images."""

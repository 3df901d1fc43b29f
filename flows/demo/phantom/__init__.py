"""Phantoms: an abdomen with a lesion, in three phases."""

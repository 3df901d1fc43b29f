"""Extraction of feature sets from one scan and mask."""

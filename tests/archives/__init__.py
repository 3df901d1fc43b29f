"""Stores that earlier releases wrote."""

"""Trained models: listed, asked, exported."""

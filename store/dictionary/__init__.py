"""Feature sets and their features: listed, searched, compared, counted."""

"""Features: names, sets, settings, and the IBSI's definitions of them."""

"""The catalogue's tables, their migrations, and connections to them."""

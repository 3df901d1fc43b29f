"""Libraries that processes load before they are copied: one module for each kind of work."""

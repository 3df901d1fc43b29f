"""Small segments merged; files that nothing names removed."""

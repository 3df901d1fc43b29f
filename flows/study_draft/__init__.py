"""A study file drafted from what lies in a folder: images, masks and a table, and what only a person can decide."""

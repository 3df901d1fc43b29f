"""What must hold of a study's data, and what becomes of rows of which it does not hold."""

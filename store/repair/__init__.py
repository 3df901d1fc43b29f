"""What is broken, put back where a sum or a hash proves it."""

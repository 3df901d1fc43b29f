"""What every HTML page is made of: questions in SQL, words for numbers, one look, and writing a page whole."""

"""What of a patient enters the store: ids become pseudonyms, dates move, places of files stay with the user."""

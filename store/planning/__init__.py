"""What a verb would change, before it changes anything: what models read, and a copy to try a commit on."""

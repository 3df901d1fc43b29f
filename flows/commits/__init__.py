"""What every verb does around its commit: publish after it, leave nothing of who was erased meanwhile."""

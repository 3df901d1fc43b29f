"""What a study asks about drift."""

"""What people call things: names of commits, and who owns a study or feature set."""

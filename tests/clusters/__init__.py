"""Real clusters for the tests: schedulers and workers as processes of their own."""

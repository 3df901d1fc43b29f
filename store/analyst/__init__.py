"""What analysts ask: views, questions, the published file, exports."""

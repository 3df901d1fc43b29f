"""Statistics that judge a model, each checked against a named outside source."""

"""Expectations of a study: asked of the state that a commit would leave, before it lands."""

"""The one way in which a test makes a store, a study or a model; no fixture stands here, and no test."""

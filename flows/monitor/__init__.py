"""Whether what a store holds drifts: features, embeddings, predictions, outcomes, calibration."""

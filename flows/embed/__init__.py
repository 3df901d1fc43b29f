"""The verb embed: out-of-fold embeddings of a network."""

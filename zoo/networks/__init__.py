"""Networks: architecture, training, fusion; and a user's own."""

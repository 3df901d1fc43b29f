"""Models: trained, described, explained, asked."""

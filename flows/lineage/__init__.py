"""Runs on record, and told to who collects lineage: OpenLineage events, where a team asks for them."""

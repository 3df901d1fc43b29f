"""Every promise of a store, checked."""

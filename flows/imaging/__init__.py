"""Reading images and masks, their geometry and content hashes, and phantoms."""

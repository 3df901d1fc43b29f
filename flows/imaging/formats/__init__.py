"""Headers of image formats, read strictly."""

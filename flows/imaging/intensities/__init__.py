"""What is done to a scan's intensities as a whole: which of them are the body's, and what a bias field made of them."""

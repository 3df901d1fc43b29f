"""Every case of a study as pictures: slices, contours, and what to look at twice."""

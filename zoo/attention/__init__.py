"""Where a network looks: Score-CAM, its scores, and panels of them."""

"""What many files of one slice each have in common: headers that are alike, pixels that lie as they are."""

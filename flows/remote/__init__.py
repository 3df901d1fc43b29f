"""Images and masks that lie in S3-compatible buckets, as files of this machine while they are used."""

"""Images and masks in buckets of a real S3-compatible server, for the tests."""

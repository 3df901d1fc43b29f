"""DICOM files that tests write, and what is said of those that are refused."""

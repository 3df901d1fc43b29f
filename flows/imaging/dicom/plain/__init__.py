"""DICOM files as most are: their elements found and converted without what only the others need."""

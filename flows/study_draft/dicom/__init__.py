"""Series and structures of DICOM, recognised by their headers."""

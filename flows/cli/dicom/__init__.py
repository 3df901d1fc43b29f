"""The verb that writes results as DICOM."""

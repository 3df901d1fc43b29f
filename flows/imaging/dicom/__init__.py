"""Images, segmentations and structure sets from DICOM, read strictly."""

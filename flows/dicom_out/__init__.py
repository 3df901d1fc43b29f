"""Results as DICOM: masks as segmentations, features as structured reports, images and contours where none were."""

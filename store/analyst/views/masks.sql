-- One row per mask: one lesion on one scan, by one reader, one reading.
-- @patient pseudonym
-- @exam name of the visit
-- @phase named image of the exam
-- @lesion lesion within the patient
-- @reader who drew the mask
-- @reading which time this reader drew it
-- @mask_label value of the lesion's voxels in the file
-- @mask_sha256 hash of the lesion's voxels and geometry
-- @lesion_voxels [1] voxels of the lesion on the native grid
-- @volume_mm3 [mm3] volume of those voxels
-- @source file the mask was read from; after 'resampled:' where it is brought to the image's grid; of DICOM and of several lesions as JSON; NULL where [privacy] keeps paths out
select patient, exam, phase, lesion, reader, reading, mask_label, mask_sha256, lesion_voxels, volume_mm3, nullif(source, '') as source
from catalogue.masks

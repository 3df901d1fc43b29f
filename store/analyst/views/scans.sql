-- One row per scan: the image of one exam and phase.
-- @patient pseudonym
-- @exam name of the visit
-- @phase named image of the exam
-- @modality modality as the study file declares it
-- @image_sha256 hash of voxels and geometry, independent of the file format
-- @voxels [1] number of voxels
-- @spacing_mm [mm] voxel spacing, x y z
-- @source file the image was read from, of DICOM JSON with what is chosen; NULL where [privacy] keeps paths out
select patient, exam, phase, modality, image_sha256, voxels, spacing_mm, nullif(source, '') as source
from catalogue.scans

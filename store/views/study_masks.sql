-- Which masks a study uses; models read the primary ones, stability the others.
-- @study the study's id
-- @is_primary true for the reading that models use
select study, patient, exam, phase, lesion, reader, reading, is_primary = 1 as is_primary
from catalogue.study_masks

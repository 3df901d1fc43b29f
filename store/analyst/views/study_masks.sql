-- Which masks a study uses; models read the primary ones, stability the others.
-- @study the study's id
-- @patient pseudonym
-- @exam name of the visit
-- @phase named image of the exam
-- @lesion lesion within the patient
-- @reader who drew the mask
-- @reading which time this reader drew it
-- @is_primary true for the reading that models use; false where an expectation leaves the mask out (view failures)
select study, patient, exam, phase, lesion, reader, reading, is_primary = 1 as is_primary
from catalogue.study_masks

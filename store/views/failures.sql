-- What could not be read or computed, and why; a row leaves when its cause is gone.
-- @stage ingest or refresh
-- @study the study's id
-- @patient pseudonym
-- @exam name of the visit
-- @phase named image of the exam
-- @lesion lesion within the patient
-- @reader who drew the mask
-- @reading which time this reader drew it
-- @feature_set feature set the failure concerns, empty at ingest
-- @feature single feature that could not be computed, empty where the whole row failed
-- @reason what went wrong
-- @since_commit commit that wrote it down
select
    stage, study, patient, exam, phase, lesion, reader, reading, feature_set, feature, reason,
    added_commit as since_commit
from catalogue.failures

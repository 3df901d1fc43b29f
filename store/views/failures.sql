-- What could not be read or computed, and why; a row leaves when its cause is mended.
-- @stage ingest or refresh
-- @study the study's id
-- @feature_set feature set the failure concerns, empty at ingest
-- @feature single feature that could not be computed, empty where the whole row failed
-- @reason what went wrong
select
    stage, study, patient, exam, phase, lesion, reader, reading, feature_set, feature, reason,
    added_commit as since_commit
from catalogue.failures

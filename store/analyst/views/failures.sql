-- What could not be read, computed, fitted or judged, and why; a row leaves when its cause is corrected.
-- @stage ingest, refresh, train, bench or expectation
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
-- @model model of the zoo that could not be trained or judged, NULL at the other stages; its rows name no patient
-- @expectation expectation of the study by which no model reads this mask, or this patient where no mask is named; NULL at the other stages
select
    stage, study, patient, exam, phase, lesion, reader, reading, feature_set,
    case when stage in ('train', 'bench', 'expectation') then '' else feature end as feature,
    reason, added_commit as since_commit,
    case when stage in ('train', 'bench') then feature end as model,
    case when stage = 'expectation' then feature end as expectation
from catalogue.failures

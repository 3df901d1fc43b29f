-- One row per patient and study; a patient of two studies has two rows.
-- @patient pseudonym
-- @study study the patient belongs to
-- @since_commit commit that added the patient to the study
select patient, study, added_commit as since_commit
from catalogue.study_patients

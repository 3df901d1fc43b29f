-- One row per study and patient who was assessed for it and is not in it, with the first criterion that excludes the
-- patient.
-- @study the study's id
-- @patient pseudonym
-- @position place of the criterion in the study file, from 1
-- @criterion the criterion's name
-- @since_commit commit that excluded the patient by this criterion
select study, patient, position, criterion, added_commit as since_commit
from catalogue.exclusions
order by study, position, patient

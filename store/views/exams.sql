-- One row per imaging visit.
-- @patient pseudonym
-- @exam name of the visit
-- @acquired_on date of the visit (ISO 8601), NULL where not given
select patient, exam, acquired_on from catalogue.exams

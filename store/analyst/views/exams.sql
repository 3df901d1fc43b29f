-- One row per imaging visit.
-- @patient pseudonym
-- @exam name of the visit
-- @acquired_on date of the visit, NULL where not given
select patient, exam, acquired_on::date as acquired_on from catalogue.exams

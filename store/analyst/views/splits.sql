-- One row per patient of a split.
-- @study the study's id
-- @split name of the split
-- @patient pseudonym
-- @cohort training or validation
-- @split_sha256 hash of the whole split
select m.study, m.split, m.patient, m.cohort, s.sha256 as split_sha256
from catalogue.split_members m
join catalogue.splits s on s.study = m.study and s.split = m.split

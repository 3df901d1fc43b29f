-- What must hold of each study's data, and whether it did when it was last looked at: one row per study and expectation.
-- With --as-of a commit it is what was found by then.
-- @study the study's id
-- @expectation name in the study file
-- @policy refuse (a commit that breaks it does not land), quarantine (no model reads whom the rows name) or warn
-- @status held, broken or not_checked
-- @broken_rows [1] rows that break it; NULL where it was not checked
-- @detail whom it leaves out, in counts, or why it was not checked
-- @kind which rule it is: sql, range, missing, count, grey_levels, spacing_mm, same_spacing, volume_ratio or duplicates
-- @description why it is expected, in the words of the study file
-- @question SQL that gives the rows that break it; it counts those of the study's patients and masks
-- @since_commit commit since which this is so
select
    study, expectation, policy, status, rows as broken_rows, nullif(detail, '') as detail,
    definition::json ->> '$.kind' as kind, nullif(definition::json ->> '$.rule.description', '') as description,
    definition::json ->> '$.question' as question, added_commit as since_commit
from catalogue.expectations
order by study, expectation

-- One row per study, patient, finding and reader: what each reader found in the images.
-- @study the study's id
-- @patient pseudonym
-- @variable name of the finding
-- @reader who found it; consensus: what readers agreed on together
-- @value the number, NULL for a category
-- @level the category, NULL for a number
-- @unit UCUM unit of value
-- @is_read whether it is this reader's value that models read
select
    f.study, f.patient, f.variable, f.reader, f.value, f.level, f.unit,
    coalesce((s.definition ->> '$.findings.use') in ('same', f.reader), false) as is_read
from catalogue.findings f
left join catalogue.studies s on s.study = f.study
order by f.study, f.patient, f.variable, f.reader

-- One row per study, patient and variable: the value last known at the study's reference date, within the
-- variable's window of days. A value after the reference date is never shown; a value without a date counts
-- where none with a date does; a study without reference dates has the last observed value.
-- @study the study's id
-- @patient pseudonym
-- @variable name of the variable
-- @value the number, NULL for a category
-- @level the category, NULL for a number
-- @unit UCUM unit of value
-- @observed_at since when the value is true; NULL where the table gives no date
-- @days_before days from observed_at to reference_on, NULL where either is missing
-- @reference_on the date at which the study predicts for this patient
with dated as (
    select
        p.study, c.patient, c.variable, c.value, c.level, c.unit, c.observed_at, r.reference_on,
        r.reference_on::date - nullif(c.observed_at, '')::date as days_before,
        r.patient is null as has_no_reference, v.window_first, coalesce(v.window_last, 0) as window_last
    from catalogue.study_patients p
    join catalogue.clinical c on c.patient = p.patient
    left join catalogue.variables v on v.study = p.study and v.variable = c.variable
    left join catalogue.reference_dates r on r.study = p.study and r.patient = p.patient
)
select
    study, patient, variable, value, level, unit, nullif(observed_at, '')::date as observed_at, days_before,
    reference_on::date as reference_on
from dated
where
    observed_at = ''
    or has_no_reference
    or (-days_before <= window_last and (window_first is null or -days_before >= window_first))
qualify row_number() over (partition by study, patient, variable order by observed_at desc) = 1

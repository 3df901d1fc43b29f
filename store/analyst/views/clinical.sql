-- Clinical values, long: one row per patient, variable and date.
-- @patient pseudonym
-- @variable name of the variable
-- @value the number, NULL for a category
-- @level the category, NULL for a number
-- @unit UCUM unit of value
-- @observed_at since when the value is true; NULL where the table gives no date
-- @recorded_at since when the store knows it, UTC
select
    patient, variable, value, level, unit, nullif(observed_at, '')::date as observed_at,
    try_cast(recorded_at as timestamp) as recorded_at
from catalogue.clinical

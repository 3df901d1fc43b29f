-- The clinical variables a study declares.
-- @low lowest value that ingest accepts
-- @high highest value that ingest accepts
-- @window_first earliest day relative to the reference date that a value may be of, NULL for no limit
-- @window_last latest day relative to the reference date that a value may be of; days before it are negative
select study, variable, kind, unit, low, high, description, window_first, window_last from catalogue.variables

-- The clinical variables a study declares.
-- @low lowest value that ingest accepts
-- @high highest value that ingest accepts
select study, variable, kind, unit, low, high, description from catalogue.variables

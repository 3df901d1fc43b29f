-- Executions of flows, with parameters, summary and library versions.
-- @run_id id of the run, as commits name it
-- @flow ingest, refresh, train, bench, ...
-- @study the study's id, NULL where the run is of none
-- @started_at when it began, UTC
-- @ended_at when it ended, UTC; NULL while it runs, or where it was killed
-- @status running, done, failed or interrupted
-- @parameters JSON
-- @summary counts of what it did, JSON
-- @versions library versions, JSON
select
    run_id, flow, study, try_cast(started_at as timestamp) as started_at,
    try_cast(ended_at as timestamp) as ended_at, status, parameters, summary, versions
from catalogue.runs order by started_at

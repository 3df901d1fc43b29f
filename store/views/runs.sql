-- Executions of flows, with parameters, summary and library versions.
-- @status running, done, failed or interrupted
-- @parameters JSON
-- @summary counts of what it did, JSON
-- @versions library versions, JSON
select run_id, flow, study, started_at, ended_at, status, parameters, summary, versions
from catalogue.runs order by started_at

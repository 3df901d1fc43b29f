select
    flow, started_at, date_diff('millisecond', started_at::timestamp, ended_at::timestamp) / 1000 as seconds, status,
    parameters, summary, run_id
from runs
where study = $study
order by started_at, run_id

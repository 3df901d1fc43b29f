-- The ledger of held-out cohorts: each model version that was judged on one, the first time it was.
-- @study the study's id
-- @split split whose cohort was opened
-- @cohort the held-out cohort, validation
-- @model name in the zoo
-- @version the model's version
-- @suite suite of the benchmark that judged it
-- @run_id run that judged it
-- @opened_at when, UTC
-- @author who ran it
select study, split, cohort, model, version, suite, run_id,
    try_cast(opened_at as timestamp) as opened_at, author
from catalogue.openings
order by opened_at, study, split, model, version

-- Every change of the store.
-- @commit_id as --as-of takes it
-- @committed_at when it landed, UTC
-- @author account that wrote it
-- @message what it did
-- @run_id run that made it
select
    commit_id, try_cast(committed_at as timestamp) as committed_at, author, message, run_id
from catalogue.commits order by commit_id

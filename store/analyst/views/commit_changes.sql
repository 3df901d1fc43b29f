-- What each commit did to each table: how many rows came, were replaced by another with the same key, and went.
-- Rows of erased patients are gone from every commit, and are not counted.
-- @commit_id the commit
-- @committed_at when it landed, UTC
-- @message what it did
-- @table_name table of the schema catalogue
-- @added rows whose key was not there before
-- @changed rows that replaced one with the same key
-- @removed rows that went with none in their place
select
    h.commit_id, try_cast(c.committed_at as timestamp) as committed_at, c.message, h.table_name, h.added,
    h.changed, h.removed
from catalogue.commit_changes h
join catalogue.commits c on c.commit_id = h.commit_id
order by h.commit_id, h.table_name

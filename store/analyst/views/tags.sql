-- One row per tag: a name that somebody gave a commit.
-- @tag the name, which --as-of takes
-- @commit_id the commit that it names
-- @description what the commit is
-- @author who gave the name
-- @tagged_at when, in UTC
-- @since_commit commit that gave the name
select tag, commit_id, nullif(description, '') as description, author,
    try_cast(tagged_at as timestamp) as tagged_at, added_commit as since_commit
from catalogue.tags
order by commit_id, tag

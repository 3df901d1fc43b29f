select commit_id, committed_at, message from commits order by commit_id desc limit 1

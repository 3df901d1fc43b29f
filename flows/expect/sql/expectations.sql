select expectation, policy, status, broken_rows, detail, description, kind, question, since_commit
from expectations
where study = $study
order by status = 'held', expectation

select split, cohort, model, version, suite, opened_at, author
from openings
where study = $study
order by opened_at, model, version

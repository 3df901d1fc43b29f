select split, cohort, model, version, suite, opened_at
from openings
where study = $study
order by opened_at, model, version

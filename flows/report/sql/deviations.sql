select e.key as deviation, e.value ->> '$$' as explanation
from feature_sets f, json_each(f.deviations) e
where f.feature_set = $feature_set
order by deviation

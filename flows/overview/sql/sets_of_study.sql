select
    c.feature_set, sum(c.extractions)::bigint as extractions, f.features, f.definition_sha256
from coverage c
join feature_sets f on f.feature_set = c.feature_set
where c.study = $study
group by all
having sum(c.extractions) > 0
order by c.feature_set

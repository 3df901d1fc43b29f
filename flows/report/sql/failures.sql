select
    stage, coalesce(feature_set, '') as feature_set, coalesce(feature, '') as feature, reason, count(*) as masks,
    count(distinct patient) as patients,
    string_agg(distinct concat_ws('/', patient, nullif(phase, '')), ', ' order by concat_ws('/', patient, nullif(phase, ''))) as "where"
from failures
where study = $study
group by all
order by stage, masks desc, feature_set, feature, reason

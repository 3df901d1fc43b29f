select
    stage, coalesce(feature_set, '') as feature_set, coalesce(model, feature, '') as feature, reason,
    count(*) filter (where model is null) as masks, count(distinct nullif(patient, '')) as patients,
    string_agg(distinct concat_ws('/', patient, nullif(phase, '')), ', ' order by concat_ws('/', patient, nullif(phase, ''))) as "where"
from failures
where study = $study
group by all
order by stage, masks desc, feature_set, feature, reason

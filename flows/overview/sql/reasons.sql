select
    study, stage, coalesce(feature_set, '') as feature_set, phase, coalesce(feature, '') as feature, reason,
    count(*) as masks, count(distinct patient) as patients
from failures
group by all
order by study, masks desc, stage, feature_set, phase, feature, reason

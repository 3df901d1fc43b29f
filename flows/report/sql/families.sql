select family, count(*) as features, count(distinct image_type) as image_types,
    count(*) filter (ibsi_id is not null) as with_ibsi_id, count(*) filter (ibsi_compliant) as ibsi_compliant
from features
where feature_set = $feature_set
group by all
order by features desc, family

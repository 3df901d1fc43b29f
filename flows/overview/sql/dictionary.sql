select
    family, name, ibsi_id, ibsi_compliant, deviation, unit, definition,
    list(distinct feature_set order by feature_set) as feature_sets, count(distinct image_type) as image_types,
    count(*) as columns, list(distinct feature order by feature) as names
from features
group by all
order by family, name, definition

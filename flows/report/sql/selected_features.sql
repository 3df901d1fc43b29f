with fitted as (
    select summary, dataset_id from models where study = $study and model = $model and version = $version
),
selected as (
    select unnest(from_json(summary -> 'features', '[{"feature":"VARCHAR","coefficient":"DOUBLE"}]'), recursive := true)
    from fitted
)
select
    s.coefficient, case when contains(s.feature, '__') then split_part(s.feature, '__', 1) end as phase, f.feature, f.image_type, f.family, f.name,
    f.ibsi_id, f.ibsi_compliant, f.deviation, f.unit, f.definition, s.feature as "column"
from selected s
left join features f
    on f.feature = substr(s.feature, strpos(s.feature, '__') + 2)
    and f.feature_set = (select max_by(feature_set, version) from feature_sets where $feature_set in (feature_set, name))
order by abs(s.coefficient) desc, s.feature

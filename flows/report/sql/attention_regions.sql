with shown as (
    select
        a.patient, a.phase, x.region, x.mask, (f.definition::json -> 'settings' ->> 'slices')::integer as slices,
        (f.definition::json -> 'settings' ->> 'size')::integer as size
    from attention a
    join region_arrays x using (feature_set, extraction_id)
    join feature_sets f using (feature_set)
    where a.study = $study and a.model = $model and a.version = $version
)
select
    patient, phase, size,
    region[slices // 2 * size * size + 1 : (slices // 2 + 1) * size * size] as image,
    mask[slices // 2 * size * size + 1 : (slices // 2 + 1) * size * size] as mask
from shown
order by patient, phase

select
    flag, count(*) as masks, count(distinct patient) as patients,
    string_agg(distinct concat_ws('/', patient, phase), ', ' order by concat_ws('/', patient, phase)) as "where"
from (
    select patient, phase, unnest(coalesce(flags, ['not measured'])) as flag
    from quality
    join study_masks using (patient, exam, phase, lesion, reader, reading)
    where study = $study and is_primary
)
group by flag
order by masks desc, flag

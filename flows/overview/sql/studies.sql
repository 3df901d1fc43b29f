with drawn as (
    select
        m.study, count(distinct c.image_sha256) as images, count(*) as masks,
        count(*) filter (m.is_primary) as primary_masks, count(distinct m.phase) as phases
    from study_masks m
    left join scans c using (patient, exam, phase)
    group by all
),
declared as (
    select study, count(*) as variables from clinical_variables group by all
)
select
    s.study, s.title, s.patients, s.labelled, coalesce(d.images, 0) as images, coalesce(d.masks, 0) as masks,
    coalesce(d.primary_masks, 0) as primary_masks, coalesce(d.phases, 0) as phases,
    coalesce(v.variables, 0) as variables
from studies s
left join drawn d using (study)
left join declared v using (study)
order by s.study

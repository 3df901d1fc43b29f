-- How a study's patients were chosen: one row per criterion of inclusion or exclusion, in the order of the study file.
-- A patient counts at the first criterion that excludes them.
-- @study the study's id
-- @position place in the study file, from 1
-- @criterion the criterion's name
-- @kind include (of whom it does not hold is excluded) or exclude (of whom it holds is excluded)
-- @before patients whom no earlier criterion excludes; at position 1 all who were assessed
-- @excluded patients whom this criterion excludes, 0 where there are none
-- @left patients who are left for the next criterion; behind the last one the patients of the study
with criteria as (
    select
        s.study, c.key::bigint + 1 as position, c.value ->> 'name' as criterion,
        case when (c.value ->> 'include') is null then 'exclude' else 'include' end as kind
    from catalogue.studies s, json_each(s.definition -> 'criteria') c
),
counted as (
    select c.*, count(e.patient) as excluded
    from criteria c
    left join catalogue.exclusions e on e.study = c.study and e.position = c.position
    group by all
),
included as (
    select study, count(*) as patients from catalogue.study_patients group by study
)
select
    c.study, c.position, c.criterion, c.kind,
    (coalesce(i.patients, 0) + sum(c.excluded) over later)::bigint as before,
    c.excluded,
    (coalesce(i.patients, 0) + sum(c.excluded) over later - c.excluded)::bigint as "left"
from counted c
left join included i on i.study = c.study
window later as (partition by c.study order by c.position rows between current row and unbounded following)
order by c.study, c.position

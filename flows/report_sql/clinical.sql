with declared as (
    select variable, kind, unit, description, row_number() over () as position from variables where study = $study
),
last_known as (
    select
        patient, variable, arg_max(value, observed_at) as value,
        arg_max(level, observed_at) as level
    from clinical
    group by all
),
members as (
    select p.patient, s.cohort, l.label
    from patients p
    left join labels l on l.study = p.study and l.patient = p.patient
    left join splits s on s.study = p.study and s.patient = p.patient and s.split = $split
    where p.study = $study
)
select
    d.position, d.variable, d.kind, d.unit, d.description, k.level, m.cohort, m.label, count(*) as n,
    count(*) filter (k.value is not null or k.level is not null) as known,
    median(k.value) as median, quantile_cont(k.value, 0.25) as q1, quantile_cont(k.value, 0.75) as q3
from members m
cross join declared d
left join last_known k on k.patient = m.patient and k.variable = d.variable
group by all
order by d.position, k.level, m.cohort, m.label desc

with declared as (
    select variable, unit, description, row_number() over () as position from clinical_variables where study = $study
),
members as (
    select p.patient, s.cohort, l.label
    from patients p
    left join labels l on l.study = p.study and l.patient = p.patient
    left join splits s on s.study = p.study and s.patient = p.patient and s.split = $split
    where p.study = $study
),
last_known as (
    -- A value without a date counts where there is none with one.
    select patient, variable, arg_max(value, known_on) as value, arg_max(level, known_on) as level
    from (select *, coalesce(observed_at, date '0001-01-01') as known_on from clinical)
    where patient in (select patient from members)
    group by all
),
shown as (  -- a number with four values or fewer is counted like a category
    select
        patient, variable, case when not is_counted then value end as value,
        case when is_counted then format('{:g}', value) else level end as level
    from (select *, count(distinct value) over (partition by variable) between 1 and 4 as is_counted from last_known)
)
select
    d.position, d.variable, d.unit, d.description, k.level, m.cohort, m.label, count(*) as patients,
    count(k.value) as known, median(k.value) as median,
    quantile_cont(k.value, 0.25) as q1, quantile_cont(k.value, 0.75) as q3
from members m
cross join declared d
left join shown k on k.patient = m.patient and k.variable = d.variable
group by all
order by d.position, k.level, m.cohort, m.label desc

with said as (
    select a.*, coalesce(s.cohort, 'all patients') as cohort
    from acquisitions a
    join patients p on p.patient = a.patient and p.study = $study
    left join splits s on s.study = p.study and s.patient = p.patient and s.split = $split
),
measured as (
    select phase, cohort, unnest([
        {name: 'field_strength', unit: 'T', value: field_strength_t},
        {name: 'repetition_time', unit: 'ms', value: repetition_time_ms},
        {name: 'echo_time', unit: 'ms', value: echo_time_ms},
        {name: 'inversion_time', unit: 'ms', value: inversion_time_ms},
        {name: 'flip_angle', unit: 'degrees', value: flip_angle_deg},
        {name: 'slice_thickness', unit: 'mm', value: slice_thickness_mm},
        {name: 'tube_voltage', unit: 'kV', value: kvp},
        {name: 'exposure', unit: 'mAs', value: exposure_mas},
        {name: 'time_after_contrast', unit: 's', value: seconds_after_contrast}
    ], recursive := true)
    from said
),
named as (
    select phase, cohort, unnest([
        {name: 'manufacturer', level: manufacturer}, {name: 'scanner_model', level: scanner_model},
        {name: 'kernel', level: kernel}
    ], recursive := true)
    from said
)
select name, unit, null as level, phase, cohort, count(*) as images, median(value) as median, min(value) as lowest,
    max(value) as highest
from measured
where value is not null
group by all
union all
select name, null, level, phase, cohort, count(*), null, null, null
from named
where level is not null
group by all
order by name, level, phase, cohort

select
    m.cohort,
    case when m.patient is null and l.label is null then 'no label' when m.patient is null then 'in no cohort' end as apart,
    count(*) as patients, count(*) filter (l.label = 1) as events, count(*) filter (l.label = 0) as without_event
from patients p
left join labels l on l.study = p.study and l.patient = p.patient
left join splits m on m.study = p.study and m.patient = p.patient and m.split = $split
where p.study = $study
group by all
order by m.cohort, apart

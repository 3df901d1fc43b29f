select
    s.split, s.cohort, count(*) as patients, count(l.label) as labelled,
    count(*) filter (l.label = 1) as events, count(*) filter (l.label = 0) as without_event
from splits s
left join labels l on l.study = s.study and l.patient = s.patient
where s.study = $study
group by all
order by s.split, s.cohort

select s.cohort, l.label, count(*) as patients
from patients p
left join labels l on l.study = p.study and l.patient = p.patient
left join splits s on s.study = p.study and s.patient = p.patient and s.split = $split
where p.study = $study
group by all
order by s.cohort nulls last, l.label desc nulls last

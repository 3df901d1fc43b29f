select 'label' as wanted_by, reason, count(*) as patients, string_agg(patient, ', ' order by patient) as who
from labels
where study = $study and label is null
group by all
union all
select 'split ' || s.split, 'in none of its cohorts', count(*), string_agg(l.patient, ', ' order by l.patient)
from labels l
join (select distinct split from splits where study = $study) s on true
where l.study = $study and l.label is not null
    and not exists (from splits m where m.study = $study and m.split = s.split and m.patient = l.patient)
group by all
union all
select m.model, e.value ->> '$$' as reason, count(*), string_agg(e.key, ', ' order by e.key)
from models m, json_each(m.summary -> 'excluded') e
where m.study = $study
    and (m.model, m.version) in (select (p.model, max(p.version)) from predictions p where p.study = $study group by p.model)
group by all
order by wanted_by, reason

select
    m.phase, m.reader, m.reading, m.is_primary, count(distinct m.patient) as patients, count(*) as masks,
    count(w.extraction_id) as extractions
from study_masks m
left join $view w using (patient, exam, phase, lesion, reader, reading)
where m.study = $study
group by all
order by m.is_primary desc, m.reader, m.reading, m.phase

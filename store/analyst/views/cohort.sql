-- Who is in a study: one row per study and patient, with what the study predicts. Each study has a view of its own too,
-- cohort_STUDY, with its splits and clinical variables as columns.
-- @study the study's id
-- @patient pseudonym
-- @outcome name of the outcome
-- @label 1 or 0, NULL where it cannot be known
-- @reason why there is no label
-- @event 1 where the event was observed
-- @time time to event or to censoring, in time_unit
-- @time_unit UCUM unit of time
-- @reference_on date at which the study predicts for this patient, NULL where the study has none
-- @first_exam_on date of the patient's first visit, NULL where no date is given
-- @last_exam_on date of the patient's last visit
-- @exams visits of the patient
-- @scans images of the patient
-- @lesions lesions whose mask the study's models read
-- @cohorts the patient's cohort in each split of the study, by the split's name
-- @since_commit commit that added the patient to the study
with visits as (
    select patient, min(acquired_on::date) as first_on, max(acquired_on::date) as last_on, count(*) as exams
    from catalogue.exams group by patient
),
images as (
    select patient, count(*) as scans from catalogue.scans group by patient
),
read as (
    select study, patient, count(distinct (exam, lesion)) as lesions
    from catalogue.study_masks where is_primary = 1 group by study, patient
),
divided as (
    select study, patient, map_from_entries(list((split, cohort) order by split)) as cohorts
    from catalogue.split_members group by study, patient
)
select
    p.study, p.patient, l.outcome, l.label, l.reason, o.event, o.time, o.time_unit,
    r.reference_on::date as reference_on, v.first_on as first_exam_on, v.last_on as last_exam_on,
    coalesce(v.exams, 0) as exams, coalesce(i.scans, 0) as scans, coalesce(m.lesions, 0) as lesions, d.cohorts,
    p.added_commit as since_commit
from catalogue.study_patients p
left join catalogue.labels l on l.study = p.study and l.patient = p.patient
left join catalogue.outcomes o on o.patient = p.patient and o.outcome = l.outcome
left join catalogue.reference_dates r on r.study = p.study and r.patient = p.patient
left join visits v on v.patient = p.patient
left join images i on i.patient = p.patient
left join read m on m.study = p.study and m.patient = p.patient
left join divided d on d.study = p.study and d.patient = p.patient
order by p.study, p.patient

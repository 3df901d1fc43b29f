-- One row per study.
-- @study the study's id
-- @title what the study is called
-- @question what the study asks
-- @outcome the outcome its labels come from
-- @patients patients in the study
-- @labelled patients with a label
-- @events patients with label 1
-- @file the study file it was read from; NULL where [privacy] keeps paths out
-- @owner who owns it, as radzoo store describe was told
-- @tags words to find it by
-- @notes what people say of it
-- @since_commit commit that wrote this version of the study
select
    s.study, s.title, s.question, s.outcome,
    (select count(*) from catalogue.study_patients p where p.study = s.study) as patients,
    (select count(l.label) from catalogue.labels l where l.study = s.study) as labelled,
    (select sum(l.label) from catalogue.labels l where l.study = s.study)::bigint as events,
    nullif(s.file, '') as file,
    nullif(d.owner, '') as owner, from_json(d.tags, '["varchar"]') as tags, nullif(d.description, '') as notes,
    s.added_commit as since_commit
from catalogue.studies s
left join catalogue.descriptions d on d.kind = 'study' and d.name = s.study

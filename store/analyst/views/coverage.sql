-- How much of a study each feature set covers, per phase: which masks have an extraction, and why others have none.
-- @study the study's id
-- @feature_set name@version; as the study file writes it where nothing has been computed
-- @is_asked true where the study file asks for it now
-- @phase named image of the exam; empty for an imported table, which is one row for all of its phases
-- @patients patients with a mask in this phase; of an imported table, the study's patients
-- @masks masks the study uses, with repeated readings (of regions the first's); of an imported table the rows wanted
-- @extractions masks with a row of this feature set
-- @missing masks without one: failed, or not yet computed
-- @failed masks whose extraction failed as a whole
-- @refused images and masks that could not be read, so that the study has no mask of them
-- @single_values values that could not be computed in a row that is there
with asked as (
    select s.study, unnest(from_json(s.definition -> 'feature_sets', '["VARCHAR"]')) as reference
    from catalogue.studies s
),
used as (
    select distinct study, feature_set from catalogue.study_extractions
),
wanted as (
    -- A name without version is the newest one that was computed for this study.
    select
        a.study, true as is_asked,
        coalesce(
            max_by(f.feature_set, f.version + case when u.study is null then 0 else 1000000 end), a.reference
        ) as feature_set
    from asked a
    left join catalogue.feature_sets f on a.reference in (f.feature_set, f.name)
    left join used u on u.study = a.study and u.feature_set = f.feature_set
    group by a.study, a.reference
    union all
    select study, false, feature_set from used
),
sets as (
    select study, feature_set, bool_or(is_asked) as is_asked from wanted group by all
),
held as (
    -- Of what is computed from several images together, only what the study uses now.
    select distinct e.feature_set, e.image_sha256, e.mask_sha256, x.study
    from catalogue.extractions e
    left join catalogue.study_extractions x
        on e.context_sha256 is not null and x.feature_set = e.feature_set and x.extraction_id = e.extraction_id
    where e.context_sha256 is null or x.study is not null
),
counted as (
    select
        w.study, w.feature_set, m.phase, count(distinct m.patient) as patients, count(*) as masks,
        count(e.image_sha256) as extractions
    from sets w
    join catalogue.study_masks m on m.study = w.study
    join catalogue.masks k using (patient, exam, phase, lesion, reader, reading)
    left join catalogue.feature_sets f on f.feature_set = w.feature_set
    left join held e
        on e.feature_set = w.feature_set and e.image_sha256 = k.image_sha256 and e.mask_sha256 = k.mask_sha256
        and coalesce(e.study, w.study) = w.study
    where (m.is_primary = 1 or f.kind is null or f.kind <> 'regions') and coalesce(f.kind, '') <> 'imported'
    group by all
),
imported as (
    -- A row for each patient, in each phase that stands in the table; nobody drew a mask. A row that is not there
    -- is a failure of the ingest.
    select
        w.study, w.feature_set, true as is_asked, '' as phase, p.patients,
        x.extractions + coalesce(n.missing, 0) as masks, x.extractions, coalesce(n.missing, 0) as missing,
        0::bigint as failed, 0::bigint as refused, 0::bigint as single_values
    from sets w
    join catalogue.feature_sets f on f.feature_set = w.feature_set and f.kind = 'imported'
    left join (
        select study, feature_set, count(*) as missing from catalogue.failures where stage = 'ingest' group by all
    ) n on n.study = w.study and n.feature_set in (f.feature_set, f.name)
    join (select study, count(*) as patients from catalogue.study_patients group by all) p on p.study = w.study
    join (
        select study, feature_set, count(*) as extractions from catalogue.study_extractions group by all
    ) x on x.study = w.study and x.feature_set = w.feature_set
),
failing as (
    select
        w.study, w.feature_set, f.phase,
        count(*) filter (f.stage = 'refresh' and coalesce(f.feature, '') = '') as failed,
        count(*) filter (f.stage = 'ingest') as refused,
        count(*) filter (f.feature <> '') as single_values
    from sets w
    join catalogue.failures f
        on f.study = w.study and f.phase <> ''
        and (f.feature_set = w.feature_set or (f.stage = 'ingest' and coalesce(f.feature_set, '') = ''))
    where w.feature_set not in (select feature_set from imported)
    group by all
)
select * from imported
union all
select
    study, feature_set, w.is_asked, phase, coalesce(c.patients, 0) as patients, coalesce(c.masks, 0) as masks,
    coalesce(c.extractions, 0) as extractions, coalesce(c.masks - c.extractions, 0) as missing,
    coalesce(f.failed, 0) as failed, coalesce(f.refused, 0) as refused, coalesce(f.single_values, 0) as single_values
from counted c
full join failing f using (study, feature_set, phase)
join sets w using (study, feature_set)
order by study, feature_set, phase

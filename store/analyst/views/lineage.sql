-- From a model back to its images: one row per model version, over the patients of its dataset and their primary masks.
-- @study the study's id
-- @model name in the zoo
-- @version version of the model
-- @dataset_id dataset it trained on
-- @commit_id commit the dataset was read at
-- @split split that decided who trained
-- @feature_set name@version of the dataset's features, NULL where it reads none
-- @regions name@version of the regions that a network of the model reads, NULL where it has none
-- @phases phases the features and regions come from
-- @patients patients in the dataset, of all cohorts
-- @images distinct images measured, or shown to a network, for these patients
-- @masks distinct masks on them
-- @extractions rows of features and regions that the dataset was made of
-- @segments segments that hold these rows
-- @segment_sha256 hashes of those segments
-- @predictions probabilities that this version gave
-- @as_trained whether no image, mask or row behind the dataset is newer than its commit; NULL without features and regions
with used as (
    select distinct study, feature_set from catalogue.study_extractions
),
read as (
    select
        m.study, m.model, m.version, m.summary, d.dataset_id, d.commit_id, d.split, d.patients,
        d.inputs ->> 'feature_set' as features_named, d.inputs ->> 'regions' as regions_named, from_json(d.inputs -> 'phases', '["VARCHAR"]') as phases
    from catalogue.models m
    left join catalogue.datasets d on d.study = m.study and d.dataset_id = m.dataset_id
),
named as (
    select distinct study, features_named as reference from read where features_named is not null
    union
    select distinct study, regions_named from read where regions_named is not null
),
meant as (
    -- A name without version is the newest one that was computed for this study.
    select
        r.study, r.reference,
        max_by(f.feature_set, f.version + case when u.study is null then 0 else 1000000 end) as feature_set
    from named r
    join catalogue.feature_sets f on r.reference in (f.feature_set, f.name)
    left join used u on u.study = r.study and u.feature_set = f.feature_set
    group by all
),
rows_behind as (
    select
        r.study, r.model, r.version, k.image_sha256, k.mask_sha256, e.extraction_id, s.segment_id, s.sha256,
        greatest(k.added_commit, e.added_commit) <= r.commit_id as as_trained
    from read r
    join meant w on w.study = r.study and w.reference in (r.features_named, r.regions_named)
    join catalogue.split_members p
        on p.study = r.study and p.split = r.split
        and not list_contains(coalesce(json_keys(r.summary, '$.excluded'), []), p.patient)
    join catalogue.study_masks m
        on m.study = r.study and m.patient = p.patient and m.is_primary = 1 and list_contains(r.phases, m.phase)
    join catalogue.masks k
        on k.patient = m.patient and k.exam = m.exam and k.phase = m.phase and k.lesion = m.lesion
        and k.reader = m.reader and k.reading = m.reading
    join catalogue.extractions e
        on e.feature_set = w.feature_set and e.image_sha256 = k.image_sha256 and e.mask_sha256 = k.mask_sha256
    -- One mask has several regions where another phase has changed since: the study's own counts.
    left join catalogue.study_extractions u
        on u.study = r.study and u.feature_set = e.feature_set and u.extraction_id = e.extraction_id
    left join catalogue.segments s on s.segment_id = e.segment_id
    where e.context_sha256 is null or u.study is not null
),
behind as (
    select
        study, model, version, count(distinct image_sha256) as images, count(distinct mask_sha256) as masks,
        count(distinct extraction_id) as extractions, count(distinct segment_id) as segments,
        list(distinct sha256 order by sha256) as segment_sha256, bool_and(as_trained) as as_trained
    from rows_behind
    group by all
),
judged as (
    select study, model, version, count(*) as predictions from catalogue.predictions group by all
)
select
    r.study, r.model, r.version, r.dataset_id, r.commit_id, r.split, w.feature_set, g.feature_set as regions, r.phases, r.patients,
    coalesce(b.images, 0) as images, coalesce(b.masks, 0) as masks, coalesce(b.extractions, 0) as extractions,
    coalesce(b.segments, 0) as segments, b.segment_sha256, coalesce(j.predictions, 0) as predictions, b.as_trained
from read r
left join meant w on w.study = r.study and w.reference = r.features_named
left join meant g on g.study = r.study and g.reference = r.regions_named
left join behind b on b.study = r.study and b.model = r.model and b.version = r.version
left join judged j on j.study = r.study and j.model = r.model and j.version = r.version
order by r.study, r.model, r.version

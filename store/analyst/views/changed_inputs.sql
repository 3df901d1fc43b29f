-- One row per model version: whether what it reads has changed since it was trained, or since training last found it
-- unchanged. What it reads is hashed in four parts, here and when it is trained.
-- @study the study's id
-- @model name in the zoo
-- @version version of the model
-- @is_stale whether a part, or a library, differs: radzoo train then looks, and fits it again where its table differs; NULL where training has not written down yet what it read, which radzoo train does
-- @because what differs: patients (of the split, with labels), clinical (values at the reference date), features (extractions of features and regions), settings (of the study file), libraries
-- @hashes hash of each part as the store has it, JSON
-- reads clinical_at_reference
with trained as (
    select
        m.study, m.model, m.version, m.versions, m.summary -> 'read' as hashes_then, d.sql, d.inputs, d.split,
        from_json(d.inputs -> 'phases', '["VARCHAR"]') as phases,
        d.inputs ->> 'feature_set' as features_named, d.inputs ->> 'regions' as regions_named,
        d.inputs ->> 'harmonise' as harmonise, d.inputs ->> 'comparator' as comparator,
        -- Several lesions or exams become one row, or the agreement of all readings chooses the columns.
        coalesce(d.inputs ->> 'combination', 'none') <> 'none' or (d.inputs ->> 'minimum_icc') is not null as reads_all_masks,
        s.definition, json_extract(s.definition, '$.models."' || m.model || '"') as settings
    from catalogue.models m
    left join catalogue.datasets d on d.study = m.study and d.dataset_id = m.dataset_id
    left join catalogue.studies s on s.study = m.study
),
weighed as (
    select *, coalesce(settings ->> 'censoring', json_extract_string(definition, '$.outcome.censoring')) is not distinct from 'weights' as is_weighed
    from trained
),
contents as (
    select p.study, c.patient, c.is_mask, c.sha256
    from (
        select patient, false as is_mask, image_sha256 as sha256 from catalogue.scans
        union all
        select patient, true, mask_sha256 from catalogue.masks
    ) c
    join catalogue.study_patients p on p.patient = c.patient
),
copies as (  -- one person under two pseudonyms: an image or a mask that both have, unless most have it (schemas.persons)
    select study, array_to_string(list_sort(list(distinct patient)), ' ') as pseudonyms
    from contents c
    join (select study, count(distinct patient) as patients from contents group by all) n using (study)
    group by study, sha256
    having count(distinct patient) > 1 and not (bool_and(is_mask) and count(distinct patient) > greatest(2, max(n.patients) / 2))
),
people as (
    select study, array_to_string(list_sort(list(distinct pseudonyms)), ',') as pseudonyms from copies group by all
),
follow_up as (
    select l.study, md5(array_to_string(list_sort(list(concat_ws(' ', l.patient, l.label, o.event, o.time, o.time_unit))), ',')) as hash
    from catalogue.labels l left join catalogue.outcomes o on o.patient = l.patient and o.outcome = l.outcome
    group by all
),
members as (
    select t.study, t.model, t.version, array_to_string(list_sort(list(concat_ws(' ', p.patient, p.cohort, l.label))), ',') as patients
    from trained t
    join catalogue.split_members p on p.study = t.study and p.split = t.split
    left join catalogue.labels l on l.study = p.study and l.patient = p.patient
    group by all
),
rules as (
    select
        study, model, version, split,
        unnest(from_json(inputs -> 'factors', '[{"variable":"VARCHAR","above":"DOUBLE","equals":"VARCHAR","name":"VARCHAR"}]')) as rule
    from trained
),
told as (
    select
        r.study, r.model, r.version, k.patient, r.rule.name as what,
        case
            when r.rule.above is not null then (k.value > r.rule.above)::varchar
            when r.rule.equals is not null then (k.level is not distinct from r.rule.equals)::varchar
            else k.value::varchar
        end as said
    from rules r
    join catalogue.split_members p on p.study = r.study and p.split = r.split
    join clinical_at_reference k on k.study = r.study and k.patient = p.patient and k.variable = r.rule.variable
    union all
    -- Which variables a published stage is told from stands in its dataset's SQL.
    select t.study, t.model, t.version, k.patient, k.variable, concat_ws(' ', k.value, k.level, k.unit)
    from trained t
    join catalogue.split_members p on p.study = t.study and p.split = t.split
    join clinical_at_reference k on k.study = t.study and k.patient = p.patient
    where k.variable = t.harmonise
        or (t.comparator is not null and coalesce(contains(t.sql, '''' || replace(k.variable, '''', '''''') || ''''), true))
),
clinical as (
    select study, model, version, md5(array_to_string(list_sort(list(concat_ws(' ', patient, what, said))), ',')) as hash
    from told group by all
),
named as (
    select study, model, version, split, phases, reads_all_masks, features_named as reference from trained where features_named is not null
    union all
    select study, model, version, split, phases, reads_all_masks, regions_named from trained where regions_named is not null
),
meant as (  -- a name without version is the newest one that the study has rows of
    select n.study, n.reference, max_by(f.feature_set, f.version) as feature_set
    from (select distinct study, reference from named) n
    join (select distinct study, feature_set from catalogue.study_extractions) x on x.study = n.study
    join catalogue.feature_sets f on f.feature_set = x.feature_set and n.reference in (f.feature_set, f.name)
    group by all
),
extracted as (  -- an imported table's rows are of no mask
    select x.study, x.feature_set, x.extraction_id, f.kind = 'imported' as is_imported, m.patient, m.phase, m.is_primary = 1 as is_primary
    from (select distinct study, feature_set from meant) w
    join catalogue.study_extractions x on x.study = w.study and x.feature_set = w.feature_set
    join catalogue.feature_sets f on f.feature_set = x.feature_set
    left join catalogue.extractions e on e.feature_set = x.feature_set and e.extraction_id = x.extraction_id and f.kind <> 'imported'
    left join catalogue.masks k on k.image_sha256 = e.image_sha256 and k.mask_sha256 = e.mask_sha256
    left join catalogue.study_masks m
        on m.study = x.study and m.patient = k.patient and m.exam = k.exam and m.phase = k.phase and m.lesion = k.lesion
        and m.reader = k.reader and m.reading = k.reading
),
features as (
    select
        n.study, n.model, n.version,
        md5(array_to_string(list_sort(list(distinct concat_ws(' ', o.patient, o.phase, o.extraction_id))), ',')) as hash
    from named n
    join meant w on w.study = n.study and w.reference = n.reference
    join extracted o on o.study = w.study and o.feature_set = w.feature_set
    left join catalogue.split_members p on p.study = n.study and p.split = n.split and p.patient = o.patient
    where o.is_imported or (p.patient is not null and list_contains(n.phases, o.phase) and (o.is_primary or n.reads_all_masks))
    group by all
),
asked as (
    select
        *, from_json(definition -> 'feature_sets', '["VARCHAR"]') || coalesce(json_keys(definition, '$.imported'), []) as sets,
        list_concat(
            [json_extract(definition, '$.define."' || split_part(features_named, '@', 1) || '".' || part) for part in ['radiomics', 'network']],
            [json_extract(definition, '$.define."' || split_part(regions_named, '@', 1) || '".' || part) for part in ['regions']]
        ) as definitions
    from weighed
),
settled as (
    select
        study, model, version,
        md5(json_object(
            'model', settings,
            'factors', case when json_array_length(inputs -> 'factors') > 0 then json_extract(definition, '$.models.cr.factors') end,
            'switch', json_extract(definition, '$.models."' || comparator || '".single_over_5cm_is_b'),
            'cases', case when coalesce(features_named, regions_named) is not null then json_object('lesions', definition -> 'lesions', 'exams', definition -> 'exams') end,
            'split', json_keys(definition, '$.splits')[1],
            -- What a model reads that names no set is the first one: what stands behind it decides nothing.
            'sets', sets[1:coalesce(greatest(list_position(sets, features_named), list_position(sets, regions_named)), 0)],
            'defined', definitions,
            'phases', case when coalesce(features_named, regions_named) is not null then json_keys(definition, '$.phases') end,
            'levels', json_extract(definition, '$.clinical.variables."' || harmonise || '".levels'),
            'people', json_extract(definition, '$.cohort.same_person'),
            'outcome', case when is_weighed then definition -> 'outcome' end
        )::varchar) as hash
    from asked
),
other_libraries as (
    select distinct u.study, u.model, u.version
    from (select study, model, version, versions, unnest(json_keys(versions)) as library from trained) u
    left join catalogue.installed_libraries i on i.library = u.library
    where i.version is distinct from json_extract_string(u.versions, '$."' || u.library || '"')
),
parts as (
    select
        t.study, t.model, t.version, t.hashes_then,
        json_object(
            'patients', md5(concat_ws(' ', m.patients, p.pseudonyms, case when t.is_weighed then f.hash end)),
            'clinical', coalesce(c.hash, ''), 'features', coalesce(x.hash, ''), 'settings', s.hash
        ) as hashes_now,
        o.study is not null as has_other_libraries
    from weighed t
    left join members m on m.study = t.study and m.model = t.model and m.version = t.version
    left join people p on p.study = t.study
    left join follow_up f on f.study = t.study
    left join clinical c on c.study = t.study and c.model = t.model and c.version = t.version
    left join features x on x.study = t.study and x.model = t.model and x.version = t.version
    left join settled s on s.study = t.study and s.model = t.model and s.version = t.version
    left join other_libraries o on o.study = t.study and o.model = t.model and o.version = t.version
),
compared as (
    select
        *,
        [
            part for part in ['patients', 'clinical', 'features', 'settings']
            if hashes_then is not null and json_extract_string(hashes_now, part) is distinct from json_extract_string(hashes_then, part)
        ] || case when has_other_libraries then ['libraries'] else []::varchar[] end as because
    from parts
)
select
    study, model, version, case when hashes_then is not null or has_other_libraries then len(because) > 0 end as is_stale,
    because, hashes_now::varchar as hashes
from compared
order by study, model, version

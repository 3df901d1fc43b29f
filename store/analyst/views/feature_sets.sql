-- One row per feature set and version.
-- @feature_set name@version
-- @name name without version
-- @version version, bound to definition_sha256
-- @kind radiomics, regions, embedding, clinical or imported
-- @features number of feature columns
-- @extractions rows in the store
-- @studies studies with rows of it
-- @description what the study file or radzoo says of it
-- @definition canonical definition, JSON
-- @definition_sha256 hash of the definition
-- @deviations where the definition departs from the IBSI standard
-- @owner who owns it, as radzoo store describe was told
-- @tags words to find it by
-- @notes what people say of it beside its description
-- @since_commit commit that wrote this row
select
    f.feature_set, f.name, f.version, f.kind, f.features,
    (select count(*) from catalogue.extractions e where e.feature_set = f.feature_set) as extractions,
    (
        select list(distinct u.study order by u.study) from catalogue.study_extractions u
        where u.feature_set = f.feature_set
    ) as studies,
    f.description, f.definition, f.definition_sha256, f.deviations,
    nullif(d.owner, '') as owner, from_json(d.tags, '["varchar"]') as tags, nullif(d.description, '') as notes,
    f.added_commit as since_commit
from catalogue.feature_sets f
left join catalogue.descriptions d on d.kind = 'feature_set' and d.name = f.feature_set

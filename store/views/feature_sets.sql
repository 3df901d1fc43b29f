-- One row per feature set and version.
-- @feature_set name@version
-- @name name without version
-- @version version, bound to definition_sha256
-- @kind radiomics, embedding, clinical or imported
-- @features number of feature columns
-- @extractions rows in the store
-- @definition canonical definition, JSON
-- @definition_sha256 hash of the definition
-- @deviations where the definition departs from the IBSI standard
select
    f.feature_set, f.name, f.version, f.kind, f.features,
    (select count(*) from catalogue.extractions e where e.feature_set = f.feature_set) as extractions,
    f.description, f.definition, f.definition_sha256, f.deviations
from catalogue.feature_sets f

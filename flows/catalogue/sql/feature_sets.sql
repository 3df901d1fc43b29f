select
    f.feature_set, f.name, f.version, f.kind, f.features, f.extractions, f.studies, f.description,
    f.definition_sha256, f.since_commit, c.committed_at, json_keys(f.deviations) as deviations
from feature_sets f
left join commits c on c.commit_id = f.since_commit
order by f.name, f.version

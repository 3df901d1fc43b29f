with departures as (
    select f.feature_set, list({'name': e.key, 'text': e.value ->> '$$'} order by e.key) as deviations
    from feature_sets f, json_each(f.deviations) e
    group by all
)
select
    f.feature_set, f.name, f.version, f.kind, f.features, f.extractions, f.studies, f.description,
    f.definition_sha256, f.since_commit, c.committed_at, d.deviations
from feature_sets f
left join commits c on c.commit_id = f.since_commit
left join departures d using (feature_set)
order by f.name, f.version

with judged as (  -- the version in the leaderboard; where none was judged, the newest
    select model, max(version) as version from predictions where study = $study group by all
)
select
    m.model, m.version, m.trained_at, m.threshold, (m.summary ->> 'intercept')::double as intercept,
    json_keys(m.summary) as summary_keys, coalesce(m.summary ->> 'base', m.model) as base, coalesce((m.summary -> 'notes')::varchar[], []) as notes,
    (m.summary -> 'censoring')::varchar as censoring,
    m.sha256, m.path, m.dataset_id, d.split, d.inputs ->> 'feature_set' as feature_set,
    -- Without the keys, the batch, and the regions of networks.
    d.columns - 3 - (d.inputs ->> 'harmonise' is not null)::int
        - (case when (d.inputs ->> 'regions') is null then 0 else json_array_length(d.inputs -> 'phases') end)::int as inputs,
    d.patients, d.columns, d.commit_id as dataset_commit
from models m
left join datasets d on d.study = m.study and d.dataset_id = m.dataset_id
left join judged j on j.model = m.model
where m.study = $study
qualify m.version = coalesce(j.version, max(m.version) over (partition by m.model))
order by m.model

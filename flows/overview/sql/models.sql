select
    l.study, l.model, l.version, l.dataset_id, l.commit_id, l.split, l.feature_set, l.regions, l.phases, l.patients, l.images,
    l.masks, l.extractions, l.segments, l.segment_sha256, l.predictions, l.as_trained,
    d.columns, d.path as dataset_path, d.sha256 as dataset_sha256,
    coalesce(json_array_length(d.inputs -> 'factors'), 0) as factors, d.inputs ->> 'comparator' as comparator,
    c.committed_at, c.message, f.definition_sha256, m.path, m.sha256, m.trained_at
from lineage l
join models m on m.study = l.study and m.model = l.model and m.version = l.version
left join datasets d on d.study = l.study and d.dataset_id = l.dataset_id
left join commits c on c.commit_id = l.commit_id
left join feature_sets f on f.feature_set = l.feature_set
where l.study = $study
qualify l.version = max(l.version) over (partition by l.model)
order by l.feature_set nulls last, l.dataset_id, l.model

select
    a.patient, a.phase, a.cohort, a.label, a.probability, a.energy_inside, a.area_inside, a.energy_margin, a.area_margin,
    a.margin_mm, a.insertion_auc, a.deletion_auc, a.map
from attention a
join models m using (study, model, version)
join datasets d using (dataset_id)
where a.study = $study and a.model = $model and a.version = $version
order by a.label desc, a.probability desc, a.patient, list_position(from_json(d.inputs -> 'phases', '["VARCHAR"]'), a.phase)

-- Trained models, every version.
-- @study the study's id
-- @model name in the zoo
-- @version counts up with every training that gave another model
-- @dataset_id dataset it trained on
-- @threshold probability from which a patient counts as positive, frozen in training: on training patients whom the fit had not seen, or as the study file asks
-- @path folder below the store
-- @sha256 hash over the folder
-- @trained_at when it was trained, UTC
-- @versions library versions, JSON
-- @summary what the model learned: features or factors and coefficients, JSON
-- @effective_patients what the training patients are worth whom the study file has weighed for those censored before the horizon (Kish); null where patients count alike because nothing else was asked for
-- @mark what happened to the model since, such as that a patient it was trained on was erased; null where nothing did
-- @is_stale whether what it reads has changed since it was trained; NULL where that is not known (view changed_inputs)
-- @stale_because what changed: patients, clinical, features, settings, libraries
-- reads changed_inputs
select m.study, m.model, m.version, dataset_id, threshold, path, sha256,
    try_cast(trained_at as timestamp) as trained_at, versions, summary,
    (summary ->> '$.censoring.effective_patients')::double as effective_patients, mark,
    c.is_stale, c.because as stale_because
from catalogue.models m
left join changed_inputs c on c.study = m.study and c.model = m.model and c.version = m.version
order by m.study, m.model, m.version

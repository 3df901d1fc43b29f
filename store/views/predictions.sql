-- Probabilities: one row per model, patient, cohort and fold.
-- @probability predicted probability of label 1
-- @label the patient's label
select study, suite, model, version, patient, cohort, fold, probability, label from catalogue.predictions

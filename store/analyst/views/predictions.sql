-- Probabilities: one row per model, patient, cohort and fold; every figure of the leaderboard follows from them.
-- @study the study's id
-- @suite holdout (one split) or nested-cv (repeated nested cross-validation)
-- @model name in the zoo
-- @version the model's version; in the nested-cv suite of the trained model with the same recipe
-- @patient pseudonym
-- @cohort training or validation in the holdout suite, out_of_fold in nested-cv
-- @fold number of the fold that the patient was held out of, counted over all repeats; 0 in the holdout suite
-- @repeat repeat of the cross-validation, from 0; 0 in the holdout suite
-- @threshold probability from which a patient counts as positive, frozen in training, or in the fold
-- @probability predicted probability of label 1
-- @label the patient's label
select study, suite, model, version, patient, cohort, fold, repeat, threshold, probability, label
from catalogue.predictions

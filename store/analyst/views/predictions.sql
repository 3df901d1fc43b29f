-- Probabilities: one row per model, patient, cohort and fold; every figure of the leaderboard follows from them.
-- @study the study's id
-- @suite paper (one split) or honest (nested cross-validation)
-- @model name in the zoo
-- @version the model's version; in the honest suite of the trained model with the same recipe
-- @patient pseudonym
-- @cohort training or validation in the paper suite, out_of_fold in the honest one
-- @fold number of the fold that the patient was held out of, counted over all repeats; 0 in the paper suite
-- @repeat repeat of the cross-validation, from 0; 0 in the paper suite
-- @threshold probability from which a patient counts as positive, frozen on the patients who trained
-- @probability predicted probability of label 1
-- @label the patient's label
select study, suite, model, version, patient, cohort, fold, repeat, threshold, probability, label
from catalogue.predictions

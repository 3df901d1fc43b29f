-- How each model did on each cohort; docs/leaderboard.sql makes every figure again from predictions.
-- @study the study's id
-- @suite paper (one split) or honest (nested cross-validation)
-- @model name in the zoo
-- @cohort training or validation in the paper suite, out_of_fold in the honest one
-- @n patients judged, in the honest suite once a repeat
-- @events patients with label 1
-- @auc area under the ROC curve; in the honest suite over pairs of patients held out of the same fold, all repeats
-- @auc_lo lower 95 % bound, DeLong on the logit scale
-- @auc_hi upper 95 % bound, DeLong on the logit scale
-- @auc_delong_lo lower 95 % bound, plain DeLong
-- @auc_delong_hi upper 95 % bound, plain DeLong
-- @threshold probability from which a patient counts as positive, frozen on training patients; none in the honest suite, where each fold has its own (predictions.threshold)
-- @accuracy share of right calls
-- @sensitivity true positives among label 1
-- @specificity true negatives among label 0
-- @ppv positive predictive value
-- @npv negative predictive value
-- @brier mean squared error of the probability
-- @calibration_slope slope of the logistic recalibration line
-- @calibration_intercept calibration in the large: intercept with the slope held at 1
select
    study, suite, model, cohort, n, events, auc, auc_lo, auc_hi, auc_delong_lo, auc_delong_hi, threshold,
    accuracy, sensitivity, specificity, ppv, npv, brier, calibration_slope, calibration_intercept
from catalogue.leaderboard

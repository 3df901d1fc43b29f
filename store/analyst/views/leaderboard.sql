-- How each model did on each cohort; docs/leaderboard.sql makes every figure again from predictions.
-- @study the study's id
-- @suite holdout (one split) or nested-cv (repeated nested cross-validation)
-- @model name in the zoo
-- @cohort training or validation in the holdout suite, out_of_fold in nested-cv
-- @n patients judged, in the nested-cv suite once a repeat
-- @events patients with label 1
-- @auc area under the ROC curve, NULL where one class is absent; in the nested-cv suite over pairs of patients held out of the same fold, all repeats
-- @auc_lo lower 95 % bound, DeLong on the logit scale, in the nested-cv suite widened for the training that folds share; this and the other bounds are NULL where a class has one patient
-- @auc_hi upper 95 % bound, DeLong on the logit scale
-- @auc_delong_lo lower 95 % bound, plain DeLong
-- @auc_delong_hi upper 95 % bound, plain DeLong
-- @threshold probability from which a patient counts as positive, frozen in training (see the model's card); none in the nested-cv suite, where each fold has its own (predictions.threshold)
-- @accuracy share of right calls
-- @sensitivity true positives among label 1
-- @sensitivity_lo lower 95 % bound, Wilson; none in the nested-cv suite, where rates are means over the repeats and patients count several times
-- @sensitivity_hi upper 95 % bound, Wilson; none in the nested-cv suite
-- @specificity true negatives among label 0
-- @specificity_lo lower 95 % bound, Wilson; none in the nested-cv suite
-- @specificity_hi upper 95 % bound, Wilson; none in the nested-cv suite
-- @ppv positive predictive value
-- @npv negative predictive value
-- @brier mean squared error of the probability
-- @calibration_slope slope of the logistic recalibration line
-- @calibration_intercept calibration in the large: intercept with the slope held at 1
-- @is_stale whether what the model reads has changed since the judged version was trained: radzoo bench judges it again; NULL where that is not known (view changed_inputs)
-- reads changed_inputs
with judged as (  -- zz: the square of the 97.5 % quantile of the normal distribution, 1.959963984540054
    select *, n - events as others, 3.841458820694124 as zz from catalogue.leaderboard where suite <> 'bootstrap'
)
select
    study, suite, model, cohort, n, events, auc, auc_lo, auc_hi, auc_delong_lo, auc_delong_hi, threshold,
    accuracy, sensitivity,
    case when suite = 'holdout' and sensitivity is not null then greatest(0,
        (sensitivity + zz / (2 * events) - sqrt(zz * sensitivity * (1 - sensitivity) / events + (zz / (2 * events)) ** 2)) / (1 + zz / events))
    end as sensitivity_lo,
    case when suite = 'holdout' and sensitivity is not null then least(1,
        (sensitivity + zz / (2 * events) + sqrt(zz * sensitivity * (1 - sensitivity) / events + (zz / (2 * events)) ** 2)) / (1 + zz / events))
    end as sensitivity_hi,
    specificity,
    case when suite = 'holdout' and specificity is not null then greatest(0,
        (specificity + zz / (2 * others) - sqrt(zz * specificity * (1 - specificity) / others + (zz / (2 * others)) ** 2)) / (1 + zz / others))
    end as specificity_lo,
    case when suite = 'holdout' and specificity is not null then least(1,
        (specificity + zz / (2 * others) + sqrt(zz * specificity * (1 - specificity) / others + (zz / (2 * others)) ** 2)) / (1 + zz / others))
    end as specificity_hi,
    ppv, npv, brier, calibration_slope, calibration_intercept, c.is_stale
from judged
left join changed_inputs c using (study, model, version)

select model, cohort, horizon, time_unit, n, events, followed, censored_before_horizon, lowest_g, rate, complete_case_rate,
    auc, auc_lo, auc_hi, complete_case_auc, brier, complete_case_brier, reason
from weighted_performance
where study = $study and suite = $suite and censored_before_horizon > 0
order by list_position(['validation', 'out_of_fold', 'training'], cohort), auc desc nulls last, model

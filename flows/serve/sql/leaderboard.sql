select
    suite,
    model,
    cohort,
    n,
    events,
    round(auc, 3) as auc,
    round(auc_lo, 3) as auc_lo,
    round(auc_hi, 3) as auc_hi,
    round(sensitivity, 3) as sensitivity,
    round(specificity, 3) as specificity,
    round(brier, 3) as brier
from leaderboard
where study = $study

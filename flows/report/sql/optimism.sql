select model, figure, n, events, apparent, optimism, corrected, left_out, monte_carlo_error, resamples, with_figure, unfit, drawn_again, reason
from optimism
where study = $study
order by first_value(corrected) over (
        partition by model order by list_position(['auc', 'calibration_slope', 'brier'], figure)
    ) desc nulls last, model, list_position(['auc', 'calibration_slope', 'brier'], figure)

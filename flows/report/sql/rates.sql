select split, cohort, horizon, time_unit, patients, censored, labelled, events, complete_case_rate, rate, lower, upper,
    reason
from event_rates
where study = $study
order by split nulls first, cohort nulls first

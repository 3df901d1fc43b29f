with counted as (  -- within a fold, where one model ranked everyone; the holdout suite is one fold
    select model, cohort, fold, probability, sum(label) as positives, sum(1 - label) as negatives
    from predictions
    where study = $study and suite = $suite
    group by all
),
steps as (
    select
        model, cohort, fold,
        sum(positives) over everyone * sum(negatives) over everyone as pairs,
        sum(negatives) over upward / sum(negatives) over everyone as false_positive_rate,
        sum(positives) over upward / sum(positives) over everyone as sensitivity
    from counted
    window
        everyone as (partition by model, cohort, fold),
        upward as (partition by model, cohort, fold order by probability desc)
),
points as (
    from steps where pairs > 0
    union all
    select distinct model, cohort, fold, pairs, 0, 0 from steps where pairs > 0
),
rates as (
    select distinct model, cohort, false_positive_rate as rate from points
),
met as (  -- each fold's curve at every rate: where it rises its lower and upper end, between its points the line
    select
        model, cohort, fold, rate, any_value(pairs) as pairs,
        min(sensitivity) filter (false_positive_rate = rate) as lower,
        max(sensitivity) filter (false_positive_rate = rate) as upper,
        max(false_positive_rate) filter (false_positive_rate < rate) as rate_before,
        max(sensitivity) filter (false_positive_rate < rate) as before,
        min(false_positive_rate) filter (false_positive_rate > rate) as rate_after,
        min(sensitivity) filter (false_positive_rate > rate) as after
    from rates join points using (model, cohort)
    group by all
),
curves as (
    select
        *,
        before + (after - before) * (rate - rate_before) / (rate_after - rate_before) as between_points
    from met
)
select distinct
    model, cohort, rate as false_positive_rate,
    unnest([
        sum(pairs * coalesce(lower, between_points)) / sum(pairs),
        sum(pairs * coalesce(upper, between_points)) / sum(pairs)
    ]) as sensitivity
from curves
group by model, cohort, rate
order by model, cohort, false_positive_rate, sensitivity

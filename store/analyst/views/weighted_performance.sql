-- AUC and Brier score by the horizon with those in mind who were censored before it: who has a label weighs as much as those like them who lost it, beside the figures of complete cases. For outcomes with a time and a horizon.
-- @study the study's id
-- @suite holdout (one split) or nested-cv (repeated nested cross-validation)
-- @model name in the zoo
-- @cohort training or validation in the holdout suite, out_of_fold in nested-cv
-- @horizon the time at which labels are told
-- @time_unit UCUM unit of the horizon
-- @n patients with a label and a prediction
-- @events patients with label 1 among them
-- @followed all patients of the study whose event and time are known: G, the chance of not being censored before a time, is estimated from them by Kaplan and Meier, for splits hold none who has no label; it takes censoring to be alike in the study's cohorts and to depend on nothing
-- @censored_before_horizon patients among them who are followed for less than the horizon without the event
-- @lowest_g the lowest G among those judged, whose weight is its inverse: an event weighs 1 / G just before it, who is followed to the horizon without one 1 / G just before the horizon
-- @rate weighted share with the event
-- @complete_case_rate events / n, too high where patients are censored
-- @auc weighted area under the ROC curve, events by the horizon against those free of it then (Uno et al. 2007, Blanche et al. 2013), equal probabilities one half; in the nested-cv suite over pairs of patients held out of the same fold, all repeats
-- @auc_lo lower 95 % bound of auc, on the logit scale, from the influence of each patient with G taken as known; DeLong's where nobody is censored; none in the nested-cv suite, where one widened as the leaderboard's covers more than it says (docs/adr/0060)
-- @auc_hi upper 95 % bound of auc
-- @complete_case_auc area under the ROC curve without weights, the leaderboard's
-- @brier weighted mean of the squared errors (Graf et al. 1999); divided by the sum of the weights, which is the number of patients, censored ones too, where each with a label was judged
-- @complete_case_brier mean of the squared errors without weights
-- @reason why there is no value, or in the holdout suite no interval
with asked as (
    select study, (definition ->> '$.outcome.horizon')::double as horizon, definition ->> '$.outcome.unit' as time_unit
    from catalogue.studies
    where (definition ->> '$.outcome.kind') = 'time_to_event'
),
followed as (
    select l.study, l.patient, l.label, o.event, o.time, a.horizon
    from catalogue.labels l
    join asked a on a.study = l.study
    join catalogue.outcomes o on o.patient = l.patient and o.outcome = l.outcome and o.time_unit = a.time_unit
    where o.event is not null and o.time is not null
),
ended as (  -- censored: before the horizon; who is followed to it has a label
    select study, time, count(*) as patients, count(*) filter (event = 1) as events,
        count(*) filter (event = 0 and time < horizon) as censored
    from followed
    group by all
),
at_risk as (  -- of an event and a censoring at one time the event comes first
    select *, sum(patients) over (partition by study order by time desc) - events as staying from ended
),
uncensored as (  -- g: the chance of not being censored before a time
    select study, time, coalesce(
        product(case when censored > 0 then 1 - censored / staying else 1 end)
            over (partition by study order by time rows between unbounded preceding and 1 preceding), 1
    ) as g
    from at_risk
),
sizes as (
    select study, sum(patients)::bigint as followed, sum(censored)::bigint as censored,
        bool_or(censored > 0 and censored = staying) as ends_early
    from at_risk
    group by study
),
judged as (
    select p.study, p.suite, p.model, p.cohort, p.fold, p.patient, p.probability, p.label, u.g, 1 / u.g as weight,
        coalesce(f.label = p.label, false) as is_current
    from catalogue.predictions p
    join asked using (study)
    left join followed f on f.study = p.study and f.patient = p.patient
    left join uncensored u on u.study = f.study and u.time = f.time
),
counted as (  -- terms are summed as decimals: a sum of doubles depends on the order of the rows
    select study, suite, model, cohort, count(distinct patient) as n,
        count(distinct patient) filter (label = 1) as events, bool_and(is_current) as is_current, min(g) as lowest_g,
        sum(label) / count(*) as complete_case_rate,
        sum(try_cast((probability - label) ** 2 as decimal(38, 20)))::double / count(*) as complete_case_brier,
        sum(try_cast(weight as decimal(38, 20)))::double as total,
        sum(try_cast(weight * label as decimal(38, 20)))::double / total as rate,
        sum(try_cast(weight * (probability - label) ** 2 as decimal(38, 20)))::double / total as brier
    from judged
    group by all
),
scored as (
    select study, suite, model, cohort, fold, probability, count(*) filter (label = 1) as ones,
        count(*) filter (label = 0) as zeros,
        coalesce(sum(try_cast(weight as decimal(38, 20))) filter (label = 1), 0)::double as weight,
        coalesce(sum(try_cast(weight ** 2 as decimal(38, 20))) filter (label = 1), 0)::double as square
    from judged
    group by all
),
ranked as (  -- beaten: patients of label 0 with a lower probability; above: the weight of events with a higher one
    select *, sum(zeros) over lowest_first - zeros / 2 as beaten,
        (sum(try_cast(weight as decimal(38, 20))) over highest_first)::double - weight / 2 as above,
        sum(ones) over whole as all_ones, sum(zeros) over whole as all_zeros,
        (sum(try_cast(weight as decimal(38, 20))) over whole)::double as all_weight
    from scored
    window whole as (partition by study, suite, model, cohort, fold),
        lowest_first as (whole order by probability),
        highest_first as (whole order by probability desc)
),
areas as (
    select study, suite, model, cohort, sum(ones * beaten) / nullif(sum(ones * all_zeros), 0) as complete_case_auc,
        sum(try_cast(weight * beaten as decimal(38, 20)))::double
            / nullif(sum(try_cast(weight * all_zeros as decimal(38, 20)))::double, 0) as auc
    from ranked
    group by all
),
errors as (  -- as DeLong has it, of one fold: how far patients of each label lie from the AUC
    select study, suite, model, cohort, any_value(all_ones) as ones, any_value(all_zeros) as zeros,
        sum(try_cast(square * (beaten / nullif(all_zeros, 0) - auc) ** 2 as decimal(38, 20)))::double
            / nullif(any_value(all_weight) ** 2, 0) as scatter_of_ones,
        sum(try_cast(zeros * (above / nullif(all_weight, 0) - auc) ** 2 as decimal(38, 20)))::double
            / nullif(any_value(all_zeros) ** 2, 0) as scatter_of_zeros
    from ranked
    join areas using (study, suite, model, cohort)
    where suite = 'holdout'
    group by study, suite, model, cohort
),
told as (
    select *, ends_early or not is_current as is_untold,
        1.959963984540054 * nullif(
            sqrt(scatter_of_ones * ones / nullif(ones - 1, 0) + scatter_of_zeros * zeros / nullif(zeros - 1, 0)), 0
        ) / nullif(auc * (1 - auc), 0) as half_width, ln(nullif(auc, 0) / nullif(1 - auc, 0)) as log_odds
    from counted
    join areas using (study, suite, model, cohort)
    left join errors using (study, suite, model, cohort)
    join sizes using (study)
    join asked using (study)
)
select study, suite, model, cohort, horizon, time_unit, n, events, followed, censored as censored_before_horizon,
    case when is_current then lowest_g end as lowest_g, case when not is_untold then rate end as rate, complete_case_rate,
    case when not is_untold then auc end as auc,
    case when not is_untold then 1 / (1 + exp(half_width - log_odds)) end as auc_lo,
    case when not is_untold then 1 / (1 + exp(-half_width - log_odds)) end as auc_hi,
    complete_case_auc, case when not is_untold then brier end as brier, complete_case_brier,
    case
        when not is_current then 'labels have changed since the model was judged'
        when ends_early then 'nobody is followed to the horizon'
        when auc is null then 'the AUC needs patients of both labels'
        when suite = 'holdout' and least(ones, zeros) < 2 then 'an interval of the AUC needs two patients of each label'
        when suite = 'holdout' and half_width is null then 'the AUC has no interval where all pairs are ranked alike'
    end as reason
from told
order by study, suite, model, cohort

-- Every figure of the leaderboard, made again from the predictions alone, for both suites:
--
--     radzoo sql - < docs/leaderboard.sql
--
-- AUC: the share of pairs, one patient of each label and both of the same fold, that are ranked rightly (ties one
-- half), over all folds and repeats; its variance the mean over the repeats of DeLong's, from each patient's own excess
-- of such pairs (docs/adr/0014), where a repeat has k folds, whose models share training patients, times
-- 1 / (2 repeats) + (0.8 + 1.2 w) k / (k - 1), w rising from 0 at an AUC of .5 to 1 at .55 (docs/adr/0063; 1 in the
-- holdout suite); where a repeat has no variance, or all have one of 0, that of each patient's
-- excess over all repeats is corrected so. 1.959963984540054 standard errors for
-- 95 %. Where that variance is zero (everyone ranked rightly, or all probabilities equal) auc_lo and auc_hi are not
-- these but Clopper and Pearson's. Rates compare each probability with the threshold beside it; the bounds of sensitivity and
-- specificity are Wilson's (zz: 1.959963984540054 squared), of one split: none in the nested-cv suite, whose rates are means
-- over repeats. Calibration: Newton's
-- iterations for the logistic line of label on log odds (slope), and for its shift with the slope held at 1, no step
-- longer than 3 log odds.
-- A figure that does not exist is null: the AUC of one class, its interval where a class has one patient, a rate
-- without patients, calibration where a probability is 0 or 1 or where
-- the probabilities separate the labels, a slope also where its standard error exceeds 5: the probabilities hardly
-- differ then.
with recursive
judged as (
    select study, suite, model, cohort, fold, coalesce(repeat, 0) as repeat, patient, label, threshold, probability,
        case when probability > 0 and probability < 1 then ln(probability / (1 - probability)) end as logit
    from predictions
),
pairs as (
    select study, suite, model, cohort, a.repeat, a.patient as positive, b.patient as negative,
        case when a.probability > b.probability then 1.0 when a.probability = b.probability then 0.5 else 0.0 end as won
    from judged as a
    join judged as b using (study, suite, model, cohort, fold)
    where a.label = 1 and b.label = 0
),
areas as (
    select study, suite, model, cohort, avg(won) as auc from pairs group by all
),
corrections as (
    select study, suite, model, cohort,
        case
            when parts > 1
            then 0.5 / repeats + (0.8 + 1.2 * least(1, greatest(0, (auc - 0.5) / 0.05))) * parts / (parts - 1)
            else 1
        end as correction
    from (
        select study, suite, model, cohort, count(distinct repeat) as repeats, count(distinct fold) // repeats as parts
        from judged group by all
    )
    join areas using (study, suite, model, cohort)
),
of_repeats as (
    select study, suite, model, cohort, repeat, avg(won) as area, count(*) as pairs from pairs group by all
),
of_patients as (
    select study, suite, model, cohort, repeat, label, patient, sum(won) as won, count(*) as pairs
    from (
        select * exclude (positive, negative), 1 as label, positive as patient from pairs
        union all
        select * exclude (positive, negative), 0, negative from pairs
    )
    group by all
),
of_labels as (
    select study, suite, model, cohort, repeat, label, var_samp(won - area * p.pairs) * count(*) as part
    from of_patients as p join of_repeats using (study, suite, model, cohort, repeat)
    group by all
),
variances as (
    select study, suite, model, cohort, repeat,
        case when count(part) = 2 then sum(part) / any_value(pairs) ** 2 end as variance
    from of_labels join of_repeats using (study, suite, model, cohort, repeat)
    group by all
),
averaged as (
    select study, suite, model, cohort, case when count(part) = 2 then sum(part) / any_value(pairs) ** 2 end as averaged
    from (
        select study, suite, model, cohort, label, var_samp(won - auc * pairs) * count(*) as part
        from (
            select study, suite, model, cohort, label, patient, sum(won) as won, sum(pairs) as pairs
            from of_patients group by all
        )
        join areas using (study, suite, model, cohort)
        group by all
    )
    join (select study, suite, model, cohort, count(*) as pairs from pairs group by all)
        using (study, suite, model, cohort)
    group by all
),
errors as (
    select study, suite, model, cohort,
        sqrt(any_value(correction) * case
            when count(variance) = count(*) and max(variance) > 0 then avg(variance) else any_value(averaged)
        end) as error
    from variances
    join averaged using (study, suite, model, cohort)
    join corrections using (study, suite, model, cohort)
    group by study, suite, model, cohort
),
ranked as (
    from areas join errors using (study, suite, model, cohort)
),
counted as (
    select study, suite, model, cohort,
        count(distinct patient) as n,
        count(distinct patient) filter (label = 1) as events,
        avg(((probability >= threshold) = (label = 1))::int) as accuracy,
        avg((probability >= threshold)::int) filter (label = 1) as sensitivity,
        avg((probability < threshold)::int) filter (label = 0) as specificity,
        avg(label) filter (probability >= threshold) as ppv,
        avg(1 - label) filter (probability < threshold) as npv,
        avg((probability - label) ** 2) as brier,
        count(*) = count(logit) and min(logit) < max(logit)
            and min(logit) filter (label = 1) < max(logit) filter (label = 0)
            and min(logit) filter (label = 0) < max(logit) filter (label = 1) as has_line,
        count(*) = count(logit) and min(label) < max(label) as has_shift,
        count(*) as predictions, sum(label) as ones, median(logit) as middle
    from judged group by all
),
line as (
    select study, suite, model, cohort, 0 as step, 0.0::double as a, 0.0::double as b, 0.0::double as variance from counted where has_line
    union all
    select study, suite, model, cohort, step + 1,
        any_value(a) + (sum(w * x * x) * sum(r) - sum(w * x) * sum(r * x)) / (sum(w) * sum(w * x * x) - sum(w * x) ** 2),
        any_value(b) + (sum(w) * sum(r * x) - sum(w * x) * sum(r)) / (sum(w) * sum(w * x * x) - sum(w * x) ** 2),
        sum(w) / (sum(w) * sum(w * x * x) - sum(w * x) ** 2)
    from (
        select study, suite, model, cohort, step, a, b, logit as x, label - p as r, p * (1 - p) as w
        from (
            select l.*, j.logit, j.label, 1 / (1 + exp(-(l.a + l.b * j.logit))) as p
            from line as l join judged as j using (study, suite, model, cohort)
            where l.step < 25
        )
    )
    group by study, suite, model, cohort, step
),
shift as (
    select study, suite, model, cohort, 0 as step, ln(ones / (predictions - ones)) - middle as a from counted where has_shift
    union all
    select study, suite, model, cohort, step + 1,
        any_value(a) + greatest(-3, least(3, sum(label - p) / sum(p * (1 - p))))
    from (
        select s.*, j.label, 1 / (1 + exp(-(s.a + j.logit))) as p
        from shift as s join judged as j using (study, suite, model, cohort)
        where s.step < 25
    )
    group by study, suite, model, cohort, step
)
select study, suite, model, cohort, n, events, auc,
    1 / (1 + exp(-(ln(auc / (1 - auc)) - 1.959963984540054 * error / (auc * (1 - auc))))) as auc_lo,
    1 / (1 + exp(-(ln(auc / (1 - auc)) + 1.959963984540054 * error / (auc * (1 - auc))))) as auc_hi,
    case when error is not null then greatest(0, auc - 1.959963984540054 * error) end as auc_delong_lo,
    case when error is not null then least(1, auc + 1.959963984540054 * error) end as auc_delong_hi,
    accuracy, sensitivity,
    case when suite = 'holdout' and sensitivity is not null then greatest(0,
        (sensitivity + zz / (2 * events) - sqrt(zz * sensitivity * (1 - sensitivity) / events + (zz / (2 * events)) ** 2)) / (1 + zz / events))
    end as sensitivity_lo,
    case when suite = 'holdout' and sensitivity is not null then least(1,
        (sensitivity + zz / (2 * events) + sqrt(zz * sensitivity * (1 - sensitivity) / events + (zz / (2 * events)) ** 2)) / (1 + zz / events))
    end as sensitivity_hi,
    specificity,
    case when suite = 'holdout' and specificity is not null then greatest(0,
        (specificity + zz / (2 * (n - events)) - sqrt(zz * specificity * (1 - specificity) / (n - events) + (zz / (2 * (n - events))) ** 2)) / (1 + zz / (n - events)))
    end as specificity_lo,
    case when suite = 'holdout' and specificity is not null then least(1,
        (specificity + zz / (2 * (n - events)) + sqrt(zz * specificity * (1 - specificity) / (n - events) + (zz / (2 * (n - events))) ** 2)) / (1 + zz / (n - events)))
    end as specificity_hi,
    ppv, npv, brier,
    case when line.variance <= 25 then line.b end as calibration_slope,
    shift.a as calibration_intercept
from counted
cross join (select 3.841458820694124 as zz)
left join ranked using (study, suite, model, cohort)
left join (from line where step = 25) as line using (study, suite, model, cohort)
left join (from shift where step = 25) as shift using (study, suite, model, cohort)
order by study, suite, model, cohort

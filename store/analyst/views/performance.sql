-- Every figure of each model on each cohort, one a row, with its interval: counted from predictions, the AUC from leaderboard.
-- @study the study's id
-- @suite holdout (one split) or nested-cv (repeated nested cross-validation)
-- @model name in the zoo
-- @cohort training or validation in the holdout suite, out_of_fold in nested-cv
-- @figure auc; at the threshold: tp, fp, tn and fn (patients; means over the repeats in nested-cv), sensitivity, specificity, ppv, npv, accuracy; of the probabilities: brier, scaled_brier (1 - brier / that of giving everyone the prevalence), calibration_slope, calibration_intercept (in the large), expected and observed (events), observed_expected (their ratio)
-- @value the figure, NULL where it cannot be told
-- @lower lower 95 % bound: logit DeLong of the AUC, Wilson of a rate, normal of the Brier score, Wald of slope, intercept (robust) and log ratio; in nested-cv that of one repeat, its error widened 1.6 times (Brier: 2.1) for five folds whose models share training patients, and for a rate that between folds, each with a threshold of its own, where that is larger; NULL for counts and scaled_brier
-- @upper upper 95 % bound
-- @reason why there is no value, or no interval
with recursive judged as (  -- terms are summed as decimals: a sum of doubles depends on the order of the rows
    select study, suite, model, cohort, fold, patient, threshold, probability, label,
        case when probability > 0 and probability < 1 then ln(probability / (1 - probability)) end as logit
    from catalogue.predictions
),
counted as (
    select study, suite, model, cohort, count(*) as n, sum(label) as ones, count(*) - sum(label) as zeros,
        count(*) // count(distinct patient) as repeats, count(distinct fold) // repeats as parts,
        count(threshold) = count(*) as has_threshold,
        case when has_threshold then count(*) filter (probability >= threshold and label = 1) end as tp,
        case when has_threshold then count(*) filter (probability >= threshold and label = 0) end as fp,
        case when has_threshold then count(*) filter (probability < threshold and label = 0) end as tn,
        case when has_threshold then count(*) filter (probability < threshold and label = 1) end as fn,
        sum(try_cast((probability - label) ** 2 as decimal(38, 20)))::double / count(*) as brier,
        sum(try_cast((probability - label) ** 4 as decimal(38, 20)))::double / count(*) - brier ** 2 as brier_variance,
        sum(try_cast(probability as decimal(38, 20)))::double as expected, count(logit) < count(*) as is_certain,
        min(logit) = max(logit) as is_constant, median(logit) as middle,
        min(logit) filter (label = 1) >= max(logit) filter (label = 0)
            or min(logit) filter (label = 0) >= max(logit) filter (label = 1) as is_separated
    from judged
    group by all
),
sized as (  -- share: of how many patients each prediction tells; z: the normal distribution's 97.5 % quantile
    select *, 1.959963984540054 as z,
        1 / (repeats * case when parts > 1 then 1.14 * (1 + parts / (parts - 1)) else 1 end) as share,
        case
            when ones = 0 then 'no patient has label 1'
            when zeros = 0 then 'no patient has label 0'
            when is_certain then 'a probability is exactly 0 or 1'
        end as no_shift,
        case
            when no_shift is not null then no_shift
            when is_constant then 'all probabilities are equal'
            when is_separated then 'the probabilities separate the two labels'
        end as no_line,
        share * case when parts > 1 then 0.57 else 1 end as brier_share
    from counted
),
line as (  -- Newton's steps to slope b and intercept a of the label on the log odds
    select study, suite, model, cohort, 0 as step, 0.0::double as a, 0.0::double as b, null::double as variance
    from sized
    where no_line is null
    union all
    select study, suite, model, cohort, step + 1,
        a + (wxx * r - wx * rx) / (w * wxx - wx ** 2), b + (w * rx - wx * r) / (w * wxx - wx ** 2),
        w / (w * wxx - wx ** 2)
    from (
        select study, suite, model, cohort, step, any_value(a) as a, any_value(b) as b,
            sum(try_cast(p * (1 - p) as decimal(38, 20)))::double as w,
            sum(try_cast(p * (1 - p) * logit as decimal(38, 20)))::double as wx,
            sum(try_cast(p * (1 - p) * logit ** 2 as decimal(38, 20)))::double as wxx,
            sum(try_cast(label - p as decimal(38, 20)))::double as r,
            sum(try_cast((label - p) * logit as decimal(38, 20)))::double as rx
        from (
            select line.*, logit, label, 1 / (1 + exp(-(a + b * logit))) as p
            from line
            join judged using (study, suite, model, cohort)
            where step < 25
        )
        group by all
    )
),
shift as (  -- and to the intercept a with the slope held at 1, none longer than 3: from afar they lead too far
    select study, suite, model, cohort, 0 as step, ln(ones / zeros) - middle as a, null::double as weight,
        null::double as scatter
    from sized
    where no_shift is null
    union all
    select study, suite, model, cohort, step + 1, a + greatest(-3, least(3, r / w)), w, scatter
    from (
        select study, suite, model, cohort, step, any_value(a) as a,
            sum(try_cast(label - p as decimal(38, 20)))::double as r,
            sum(try_cast(p * (1 - p) as decimal(38, 20)))::double as w,
            sum(try_cast((label - p) ** 2 as decimal(38, 20)))::double as scatter
        from (
            select shift.*, label, 1 / (1 + exp(-(a + logit))) as p
            from shift
            join judged using (study, suite, model, cohort)
            where step < 25
        )
        group by study, suite, model, cohort, step
    )
),
rates as (
    select study, suite, model, cohort, parts, share, repeats * parts as folds, z * z as zz, each.figure, each.tried,
        each.hits / nullif(each.tried, 0) as p,
        case when tp is null then 'there is no threshold' when each.tried = 0 then each.reason end as no_rate,
        case when no_rate is not null then no_rate when parts > 1 and folds < 4 then 'an interval needs four folds' end as reason
    from (
        select *, unnest([
            {'figure': 'sensitivity', 'hits': tp, 'tried': tp + fn, 'reason': 'no patient has label 1'},
            {'figure': 'specificity', 'hits': tn, 'tried': tn + fp, 'reason': 'no patient has label 0'},
            {'figure': 'ppv', 'hits': tp, 'tried': tp + fp, 'reason': 'no patient is called positive'},
            {'figure': 'npv', 'hits': tn, 'tried': tn + fn, 'reason': 'no patient is called negative'},
            {'figure': 'accuracy', 'hits': tp + tn, 'tried': tp + fp + tn + fn, 'reason': 'there is no patient'}
        ]) as each
        from sized
    )
),
fold_calls as (  -- each fold's patients, of those called positive or of label 1 or 0, by what they are tried for
    select study, suite, model, cohort, fold, unnest(['sensitivity', 'specificity', 'ppv', 'npv', 'accuracy']) as figure,
        unnest([tp, tn, tp, tn, tp + tn]) as hits, unnest([tp + fn, tn + fp, tp + fp, tn + fn, tp + fp + tn + fn]) as tried
    from (
        select study, suite, model, cohort, fold, count(*) filter (probability >= threshold and label = 1) as tp,
            count(*) filter (probability >= threshold and label = 0) as fp,
            count(*) filter (probability < threshold and label = 0) as tn,
            count(*) filter (probability < threshold and label = 1) as fn
        from judged
        group by all
    )
),
scatters as (
    select study, suite, model, cohort, figure, sum(hits ** 2) as hh, sum(hits * tried) as ht, sum(tried ** 2) as tt
    from fold_calls
    group by all
),
rate_sizes as (  -- of how many patients a rate tells: of those whom one repeat tries, or as folds differ where that is fewer
    select *,
        case when parts > 1 and folds > 3
            then greatest(0, hh - 2 * p * ht + p ** 2 * tt) / (folds - 3) * (folds / tried) ** 2 * (1 / folds + 0.05)
            else 0
        end as between_folds,
        least(tried * share, coalesce(p * (1 - p) / nullif(between_folds, 0), tried * share)) as size
    from rates
    left join scatters using (study, suite, model, cohort, figure)
),
figures as (
    select study, suite, model, cohort, 'auc' as figure, auc as value, auc_lo as lower, auc_hi as upper,
        case
            when auc is null then 'it needs patients of both labels'
            when auc_lo is null then 'an interval needs two patients of each label'
        end as reason
    from catalogue.leaderboard
    union all
    select study, suite, model, cohort, each.figure, each.number / repeats, null, null,
        case when each.number is null then 'there is no threshold' end
    from (
        select *, unnest([
            {'figure': 'tp', 'number': tp}, {'figure': 'fp', 'number': fp}, {'figure': 'tn', 'number': tn},
            {'figure': 'fn', 'number': fn}, {'figure': 'expected', 'number': expected},
            {'figure': 'observed', 'number': ones}
        ]) as each
        from sized
    )
    union all
    select study, suite, model, cohort, figure, p,
        case when reason is null then greatest(0, (p + zz / (2 * size) - half) / (1 + zz / size)) end,
        case when reason is null then least(1, (p + zz / (2 * size) + half) / (1 + zz / size)) end,
        reason
    from (select *, sqrt(zz * p * (1 - p) / size + (zz / (2 * size)) ** 2) as half from rate_sizes)
    union all
    select study, suite, model, cohort, 'brier', brier,
        case when error is not null then greatest(0, brier - z * error) end,
        case when error is not null then least(1, brier + z * error) end,
        case when error is null then 'an interval needs two patients' end
    from (select *, case when n > repeats then sqrt(brier_variance / ((n - repeats) * brier_share)) end as error from sized)
    union all
    select study, suite, model, cohort, 'scaled_brier', 1 - brier / nullif(ones / n * zeros / n, 0), null, null,
        case when ones * zeros = 0 then 'it needs patients of both labels' end
    from sized
    union all
    select study, suite, model, cohort, 'calibration_slope', case when is_told then b end,
        case when is_told then b - z * error end, case when is_told then b + z * error end,
        case
            when no_line is not null then no_line
            when not is_told then 'the probabilities hardly differ between patients'
        end
    from (
        select sized.*, b, coalesce(variance between 0 and 25, false) as is_told,
            case when is_told then sqrt(variance / share) end as error
        from sized
        left join (from line where step = 25) as line using (study, suite, model, cohort)
    )
    union all
    select study, suite, model, cohort, 'calibration_intercept', case when is_told then a end,
        case when is_told then a - z * error end, case when is_told then a + z * error end,
        case
            when no_shift is not null then no_shift
            when not is_told then 'the probabilities are too extreme to tell one shift from another'
        end
    from (
        select sized.*, a, coalesce(weight >= 1e-6, false) as is_told,
            case when is_told then sqrt(scatter / share) / weight end as error
        from sized
        left join (from shift where step = 25) as shift using (study, suite, model, cohort)
    )
    union all
    select study, suite, model, cohort, 'observed_expected', ratio, ratio * exp(-z * error), ratio * exp(z * error),
        case when ones = 0 then 'no patient has label 1' when expected = 0 then 'no event is expected' end
    from (
        select *, nullif(ones, 0) / nullif(expected, 0) as ratio,
            sqrt((1 - ones / n) / nullif(ones * share, 0)) as error
        from sized
    )
)
select study, suite, model, cohort, figure, value, lower, upper, reason
from figures
order by study, suite, model, cohort, list_position([
    'auc', 'sensitivity', 'specificity', 'ppv', 'npv', 'accuracy', 'tp', 'fp', 'tn', 'fn', 'brier', 'scaled_brier',
    'calibration_slope', 'calibration_intercept', 'observed', 'expected', 'observed_expected'
], figure)

-- Every figure of the subgroups, made again from the predictions and the patients' clinical values, for both suites:
--
--     radzoo sql - < docs/subgroups.sql
--
-- As docs/leaderboard.sql has it, among the patients of one level: the AUC is the share of pairs, one patient of each
-- label and both of the same fold, that are ranked rightly. No interval where fewer than two patients of a label are in
-- such a pair; where the variance is zero (every pair right, or all tied) the interval is not this but Clopper and
-- Pearson's.
with asked as (
    select study, suite, model, cohort, variable, level from subgroups
),
judged as (
    select a.*, p.fold, coalesce(p.repeat, 0) as repeat, p.patient, p.label, p.probability
    from asked as a
    join clinical_at_reference as c
        on c.study = a.study and c.variable = a.variable
        and coalesce(c.level, printf('%g', c.value::double)) = a.level
    join predictions as p
        on p.study = a.study and p.suite = a.suite and p.model = a.model and p.cohort = a.cohort
        and p.patient = c.patient
),
counted as (
    select study, suite, model, cohort, variable, level,
        count(distinct patient) as n,
        count(distinct patient) filter (label = 1) as events
    from judged group by all
),
pairs as (
    select study, suite, model, cohort, variable, level, a.repeat, a.patient as positive, b.patient as negative,
        case when a.probability > b.probability then 1.0 when a.probability = b.probability then 0.5 else 0.0 end as won
    from judged as a
    join judged as b using (study, suite, model, cohort, variable, level, fold)
    where a.label = 1 and b.label = 0
),
areas as (
    select study, suite, model, cohort, variable, level, avg(won) as auc from pairs group by all
),
corrections as (
    select study, suite, model, cohort, variable, level,
        case
            when parts > 1
            then 0.5 / repeats + (0.8 + 1.2 * least(1, greatest(0, (auc - 0.5) / 0.05))) * parts / (parts - 1)
            else 1
        end as correction
    from (
        select study, suite, model, cohort, count(distinct coalesce(repeat, 0)) as repeats,
            count(distinct fold) // repeats as parts
        from predictions group by all
    )
    join areas using (study, suite, model, cohort)
),
of_repeats as (
    select study, suite, model, cohort, variable, level, repeat, avg(won) as area, count(*) as pairs
    from pairs group by all
),
of_patients as (
    select study, suite, model, cohort, variable, level, repeat, label, patient, sum(won) as won, count(*) as pairs
    from (
        select * exclude (positive, negative), 1 as label, positive as patient from pairs
        union all
        select * exclude (positive, negative), 0, negative from pairs
    )
    group by all
),
of_labels as (
    select study, suite, model, cohort, variable, level, repeat, label,
        var_samp(won - area * p.pairs) * count(*) as part
    from of_patients as p join of_repeats using (study, suite, model, cohort, variable, level, repeat)
    group by all
),
variances as (
    select study, suite, model, cohort, variable, level, repeat,
        case when count(part) = 2 then sum(part) / any_value(pairs) ** 2 end as variance
    from of_labels join of_repeats using (study, suite, model, cohort, variable, level, repeat)
    group by all
),
averaged as (
    select study, suite, model, cohort, variable, level,
        case when count(part) = 2 then sum(part) / any_value(pairs) ** 2 end as averaged
    from (
        select study, suite, model, cohort, variable, level, label, var_samp(won - auc * pairs) * count(*) as part
        from (
            select study, suite, model, cohort, variable, level, label, patient, sum(won) as won, sum(pairs) as pairs
            from of_patients group by all
        )
        join areas using (study, suite, model, cohort, variable, level)
        group by all
    )
    join (select study, suite, model, cohort, variable, level, count(*) as pairs from pairs group by all)
        using (study, suite, model, cohort, variable, level)
    group by all
),
errors as (
    select study, suite, model, cohort, variable, level,
        sqrt(any_value(correction) * case
            when count(variance) = count(*) and max(variance) > 0 then avg(variance) else any_value(averaged)
        end) as error
    from variances
    join averaged using (study, suite, model, cohort, variable, level)
    join corrections using (study, suite, model, cohort, variable, level)
    group by study, suite, model, cohort, variable, level
)
select study, suite, model, cohort, variable, level, coalesce(n, 0) as n, coalesce(events, 0) as events, auc,
    1 / (1 + exp(-(ln(auc / (1 - auc)) - 1.959963984540054 * error / (auc * (1 - auc))))) as auc_lo,
    1 / (1 + exp(-(ln(auc / (1 - auc)) + 1.959963984540054 * error / (auc * (1 - auc))))) as auc_hi
from asked
left join counted using (study, suite, model, cohort, variable, level)
left join areas using (study, suite, model, cohort, variable, level)
left join errors using (study, suite, model, cohort, variable, level)
order by study, suite, model, cohort, variable, level

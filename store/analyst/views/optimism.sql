-- How far each figure of a model on its own training patients flatters: Harrell's optimism, by bootstrap resamples of them.
-- @study the study's id
-- @model name in the zoo
-- @version the model's version: the trained model with the same recipe
-- @figure auc, calibration_slope (of the recalibration line; ideally 1) or brier (0 is perfect)
-- @n training patients judged
-- @events those with label 1
-- @apparent the figure of the model fitted to all training patients, on them
-- @optimism mean over the resamples: the figure of the model fitted to a resample, selection, tuning and recalibration included, there less the same model's on all training patients; below 0 where low is good, as of brier
-- @corrected apparent less optimism: what to expect on other patients of the same kind; it has no interval
-- @left_out mean over the resamples of the figure of the model fitted to one on the training patients who were not drawn, a good third: no less than 63 % of the patients to learn from, so a little too bad; where corrected is much better, the model knows its patients by heart and corrected flatters
-- @monte_carlo_error standard error of optimism for the resamples that were drawn, which more would lessen; of what other patients would give it tells nothing
-- @resamples how many were asked for
-- @with_figure how many of them gave this figure
-- @unfit how many the model could not be fitted to
-- @drawn_again draws with one label only, in place of which another was made
-- @reason why there is no apparent figure or no optimism: more than a tenth of the resamples without the figure, or fewer than two with it
with figures as (
    select l.study, l.model, l.version, l.cohort, l.n, l.events, f.figure,
        case when f.figure = 'auc' then l.auc when f.figure = 'brier' then l.brier else l.calibration_slope end as value,
        cohort like 'resample%' and cohort not like '%, draw %' and cohort not like '% on %' as is_resample
    from catalogue.leaderboard l
    cross join (select unnest(['auc', 'calibration_slope', 'brier']) as figure) f
    where l.suite = 'bootstrap'
),
pairs as (
    select own.study, own.model, own.figure, own.value - everyone.value as optimism, others.value as left_out
    from figures own
    left join figures everyone
        on everyone.study = own.study and everyone.model = own.model and everyone.figure = own.figure
        and everyone.cohort = own.cohort || ' on training'
    left join figures others
        on others.study = own.study and others.model = own.model and others.figure = own.figure
        and others.cohort = own.cohort || ' on the others'
    where own.is_resample
),
counted as (  -- terms are summed as decimals: a sum of doubles depends on the order of the rows
    select study, model, figure, count(*) as resamples, count(optimism) as with_figure,
        sum(try_cast(optimism as decimal(38, 20)))::double / nullif(count(optimism), 0) as mean,
        sum(try_cast(optimism ** 2 as decimal(38, 20)))::double / nullif(count(optimism), 0) as mean_square,
        case when count(left_out) >= 0.9 * count(*) then sum(try_cast(left_out as decimal(38, 20)))::double / count(left_out)
            end as left_out
    from pairs
    group by all
),
unfit as (
    select study, model, count(*) filter (figure = 'brier' and is_resample and value is null) as unfit,
        count(*) filter (figure = 'brier' and cohort like '%, draw %') as drawn_again
    from figures
    group by all
),
judged as (
    select a.study, a.model, a.version, a.figure, a.n, a.events, a.value as apparent, c.mean, c.left_out,
        sqrt(greatest(0, c.mean_square - c.mean ** 2) / nullif(c.with_figure - 1, 0)) as error,
        coalesce(c.resamples, 0) as resamples, coalesce(c.with_figure, 0) as with_figure, u.unfit, u.drawn_again,
        case
            when a.value is null then 'the model fitted to all training patients has no such figure on them'
            when c.with_figure < 0.9 * c.resamples then
                (c.resamples - c.with_figure) || ' of ' || c.resamples || ' resamples have no such figure'
                || case when u.unfit < c.resamples - c.with_figure then ': it cannot be told of the probabilities there'
                    else ': the model cannot be fitted to them' end
            when c.with_figure is null or c.with_figure < 2 then 'it takes two resamples'
        end as reason
    from figures a
    join unfit u using (study, model)
    left join counted c using (study, model, figure)
    where a.cohort = 'training'
)
select study, model, version, figure, n, events, apparent, case when reason is null then mean end as optimism,
    case when reason is null then apparent - mean end as corrected,
    left_out, case when reason is null then error end as monte_carlo_error, resamples, with_figure, unfit, drawn_again, reason
from judged
order by study, model, list_position(['auc', 'calibration_slope', 'brier'], figure)

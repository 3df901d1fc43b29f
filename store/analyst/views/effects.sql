-- Odds ratios of clinical factors: what each model that tests its factors estimated on its training patients.
-- @study the study's id
-- @model name in the zoo
-- @version version of the model
-- @step univariable (the factor alone) or multivariable (adjusted for the others that stayed)
-- @factor the factor as the model names it, such as ast>40
-- @coefficient log odds ratio
-- @odds_ratio of having it, or per unit of a number
-- @lower lower 95 % bound of the odds ratio
-- @upper upper 95 % bound of the odds ratio
-- @p two-sided p value
-- @method how it was estimated: maximum likelihood with Wald errors where nothing else is said
with steps as (
    select
        m.study, m.model, m.version, s.key as step,
        unnest(
            from_json(
                s.value,
                '[{"factor":"VARCHAR","coefficient":"DOUBLE","odds_ratio":"DOUBLE","lower":"DOUBLE","upper":"DOUBLE","p":"DOUBLE","method":"VARCHAR"}]'
            ),
            recursive := true
        )
    from catalogue.models m, json_each(m.summary) s
    where s.key in ('univariable', 'multivariable')
)
select
    study, model, version, step, factor, coefficient, odds_ratio, lower, upper, p,
    coalesce(method, 'maximum likelihood') as method
from steps

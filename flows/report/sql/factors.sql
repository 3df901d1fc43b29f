with fitted as (
    select model, summary, dataset_id from models where study = $study and model = $model and version = $version
),
estimated as (
    select * from effects where study = $study and model = $model and version = $version
),
removed as (
    select unnest(
        from_json(summary -> 'removed', '[{"factor":"VARCHAR","p":"DOUBLE","n_factors":"INTEGER"}]'), recursive := true
    )
    from fitted
),
left_out as (
    select unnest(from_json(summary -> 'left_out', '[{"factor":"VARCHAR","reason":"VARCHAR"}]'), recursive := true)
    from fitted
),
rules as (
    select unnest(from_json(d.inputs -> 'factors', '[{"name":"VARCHAR","variable":"VARCHAR"}]'), recursive := true),
        generate_subscripts(from_json(d.inputs -> 'factors', '["JSON"]'), 1) as position
    from datasets d
    join fitted f on f.dataset_id = d.dataset_id
    where d.study = $study
)
select
    r.name as factor, v.unit, v.description,
    u.odds_ratio, u.lower, u.upper, u.p, u.method,
    m.coefficient, m.odds_ratio as adjusted_odds_ratio, m.lower as adjusted_lower, m.upper as adjusted_upper,
    m.p as adjusted_p, m.method as adjusted_method,
    x.p as removed_p, x.n_factors as removed_from, o.reason as left_out
from rules r
left join clinical_variables v on v.study = $study and v.variable = r.variable
left join estimated u on u.factor = r.name and u.step = 'univariable'
left join estimated m on m.factor = r.name and m.step = 'multivariable'
left join removed x on x.factor = r.name
left join left_out o on o.factor = r.name
order by r.position

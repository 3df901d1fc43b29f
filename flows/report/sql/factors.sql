with fitted as (
    select model, summary, dataset_id from models where study = $study and model = $model and version = $version
),
effects as (
    select key as model_of, unnest(
        from_json(
            value,
            '[{"factor":"VARCHAR","coefficient":"DOUBLE","odds_ratio":"DOUBLE","lower":"DOUBLE","upper":"DOUBLE","p":"DOUBLE","method":"VARCHAR"}]'
        ),
        recursive := true
    )
    from fitted, json_each(summary)
    where key in ('univariable', 'multivariable')
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
    u.odds_ratio, u.lower, u.upper, u.p,
    m.coefficient, m.odds_ratio as adjusted_odds_ratio, m.lower as adjusted_lower, m.upper as adjusted_upper,
    m.p as adjusted_p, u.method, m.method as adjusted_method,
    x.p as removed_p, x.n_factors as removed_from, o.reason as left_out
from rules r
left join clinical_variables v on v.study = $study and v.variable = r.variable
left join effects u on u.factor = r.name and u.model_of = 'univariable'
left join effects m on m.factor = r.name and m.model_of = 'multivariable'
left join removed x on x.factor = r.name
left join left_out o on o.factor = r.name
order by r.position

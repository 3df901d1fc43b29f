with own as (
    select m.summary, d.inputs, d.split, d.feature_set
    from models m
    left join datasets d on d.study = m.study and d.dataset_id = m.dataset_id
    where m.study = $study and m.model = $model and m.version = $version
),
-- Of the set's features in the model's phases the model was given those whose readings agree.
read_again as (
    select 'all features' as step, count(distinct (s.phase, s.feature)) as columns
    from own
    join stability s
        on s.study = $study and s.split = own.split and s.feature_set = own.feature_set
        and list_contains((own.inputs -> 'phases')::varchar[], s.phase)
    where (own.inputs ->> 'minimum_icc') is not null
    having count(*) > 0
)
select step, columns::integer as columns
from (
    from read_again
    union all
    select e.key, e.value::integer from own, json_each(own.summary -> 'columns_after') e
)
-- In the order in which the pipeline takes them.
order by
    coalesce(
        list_position(
            ['all features', 'impute', 'harmonise', 'variance', 'zscore', 'univariable', 'lasso', 'with_factors'], step
        ), 99
    ), columns desc, step

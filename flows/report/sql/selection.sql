select e.key as step, e.value::integer as columns
from models m, json_each(m.summary -> 'columns_after') e
where m.study = $study and m.model = $model and m.version = $version
-- In the order in which the pipeline takes them.
order by
    coalesce(
        list_position(
            ['impute', 'harmonise', 'variance', 'zscore', 'univariable', 'lasso', 'with_factors'], e.key
        ), 99
    ), columns desc, step

select e.key as step, e.value::integer as columns
from models m, json_each(m.summary -> 'columns_after') e
where m.study = $study and m.model = $model and m.version = $version
order by columns desc, step

select e.key as library, e.value ->> '$$' as version, string_agg(distinct r.flow, ', ' order by r.flow) as flows
from runs r, json_each(r.versions) e
where r.study = $study
group by all
order by library, version

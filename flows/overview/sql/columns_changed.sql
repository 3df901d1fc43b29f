select
    count(*) filter (feature not in (select feature from features where feature_set = $before)) as added,
    (
        select count(*) from features
        where feature_set = $before and feature not in (select feature from features where feature_set = $after)
    ) as removed
from features
where feature_set = $after

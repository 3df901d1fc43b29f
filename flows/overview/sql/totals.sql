select
    (select count(*) from studies) as studies, (select count(*) from feature_sets) as feature_sets,
    (select count(distinct (family, name)) from features) as features, (select count(*) from features) as columns,
    (select sum(extractions) from feature_sets)::bigint as extractions, (select count(*) from models) as models

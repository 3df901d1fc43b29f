select json_pretty(json_merge_patch(definition, '{"columns": null}')) as definition  -- the columns: see features
from feature_sets
where feature_set = $feature_set

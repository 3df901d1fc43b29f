select feature_set, kind, description, features, extractions, definition_sha256
from feature_sets
order by name, version

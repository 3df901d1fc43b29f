select json_pretty(summary) as summary
from models
where study = $study and model = $model and version = $version

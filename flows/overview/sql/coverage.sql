select
    study, feature_set, is_asked, phase, patients, masks, extractions, missing, failed, refused, single_values
from coverage
order by study, feature_set, phase

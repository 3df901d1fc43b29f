-- The feature dictionary: one row per column of a feature set.
-- @feature_set name@version
-- @feature column name in the feature set's view
-- @image_type original, a wavelet sub-band or a LoG filter
-- @family feature class
-- @name feature name within its family
-- @ibsi_id code of the Image Biomarker Standardisation Initiative
-- @ibsi_compliant whether it is calculated as in the standard; how images are prepared: feature_sets.deviations
-- @deviation how its calculation differs under the settings of the feature set, where it does
-- @unit UCUM unit
-- @definition what it measures
select
    feature_set, feature, image_type, family, name, ibsi_id, ibsi_compliant = 1 as ibsi_compliant,
    deviation, unit, definition
from catalogue.features
order by feature_set, position

-- What each feature is, for people: one row per column name and meaning, with the feature sets that have it so.
-- @feature column name in the wide views
-- @name what is measured, within its family
-- @family feature class, such as glcm
-- @image_type original, a wavelet sub-band or a LoG filter
-- @ibsi_code code of the Image Biomarker Standardisation Initiative, NULL where it has none
-- @follows_ibsi whether the value follows the standard
-- @difference how it differs where it does not
-- @unit UCUM unit
-- @definition what it measures
-- @feature_sets the sets that have it, name@version, with commas
select
    feature, name, family, image_type, ibsi_id as ibsi_code, ibsi_compliant = 1 as follows_ibsi,
    deviation as difference, unit, definition,
    string_agg(feature_set, ', ' order by feature_set) as feature_sets
from catalogue.features
group by feature, name, family, image_type, ibsi_id, ibsi_compliant, deviation, unit, definition
order by family, name, image_type, feature, feature_sets

-- Where a network finds what speaks for label 1: numbers of one class activation map (Score-CAM) a row. Patients are
-- those that bench takes as examples, by their probability: they are chosen for being looked at, not drawn.
-- @study the study's id
-- @model name in the zoo
-- @version version of the model
-- @patient pseudonym
-- @phase the phase that was masked while the others stayed as they are
-- @feature_set name@version of the regions that the network read
-- @extraction_id the region
-- @cohort of the model's split; on training patients the network remembers
-- @label 1 or 0
-- @probability of label 1, by this model
-- @energy_inside share of the map's sum inside the tumour, deeper than its margin, NULL where the map is zero; of a map that is the same everywhere it is area_inside
-- @energy_margin share of the map's sum on the margin, NULL where the map is zero; of a map that is the same everywhere it is area_margin
-- @area_inside share of the region's pixels that lie inside the tumour, deeper than its margin
-- @area_margin share of the region's pixels that lie on the margin
-- @margin_mm width of the margin, a band along the tumour's outline, half of it on either side
-- @insertion_auc area under the probability while the pixels return to a blurred region, the map's highest first; high is good
-- @deletion_auc area under the probability while the pixels are replaced by their mean, the map's highest first; low is good
-- @map the map before it is upsampled, JSON: a list of rows
select
    study, model, version, patient, phase, feature_set, extraction_id, cohort, label, probability, energy_inside,
    energy_margin, area_inside, area_margin, margin_mm, insertion_auc, deletion_auc, map
from catalogue.attention
order by study, model, version, patient, phase

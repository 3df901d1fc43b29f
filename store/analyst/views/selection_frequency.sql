-- How often the folds of a cross-validation selected a feature or factor; one that none selected has no row.
-- @study the study's id
-- @suite nested-cv: the holdout suite has no folds
-- @model name in the zoo
-- @feature column the model used: PHASE__feature, or a clinical factor
-- @selected in how many folds
-- @folds of how many: repeats times folds
-- @frequency selected / folds
select study, suite, model, feature, selected, folds, selected / folds as frequency
from catalogue.selection_frequency

-- How much each feature counts in a trained model, by measures that are not comparable with each other.
-- Permutation on training patients flatters, and columns that carry the same information share their importance.
-- @study the study's id
-- @model name in the zoo
-- @version version of the model
-- @kind coefficient, tree, permutation (validation patients, written by bench) or permutation_training
-- @feature input column of the model; columns that selection left out have no row, they cannot move a probability
-- @value log odds per training standard deviation; mean absolute log odds (TreeSHAP, training); mean AUC lost by shuffling
-- @lower coefficient: lower 95 % bound, for clinical models. permutation: 2.5th percentile of shuffles
-- @upper coefficient: upper 95 % bound. permutation: 97.5th percentile of the shuffles, not of patients
select study, model, version, kind, feature, value, lower, upper
from catalogue.importances
order by study, model, version, kind, abs(value) desc, feature

-- Agreement of repeated readings, per phase and feature, on the training patients of a split.
-- @kind intra (one reader twice) or inter (two readers)
-- @patients number of patients read repeatedly
-- @icc ICC(A,1): two-way random, absolute agreement, single measure
-- @lower lower 95 % bound
-- @upper upper 95 % bound
select study, split, feature_set, phase, feature, kind, patients, icc, lower, upper from catalogue.stability

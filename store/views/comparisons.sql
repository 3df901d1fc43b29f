-- DeLong tests: two models on the same patients (paired), one model on two cohorts (unpaired) or in two subgroups (subgroup).
-- @cohort the cohort; unpaired: both, training-validation; subgroup: cohort, variable and both levels
-- @statistic Z of the paired, D of the unpaired test
-- @p two-sided p value
-- @p_holm p value after Holm's correction over the tests of this kind and cohort; subgroups: over all variables, levels and models of the cohort
select study, suite, cohort, model_a, model_b, kind, statistic, p, p_holm from catalogue.comparisons

-- DeLong tests: two models on the same patients (paired), or one model on two cohorts (unpaired).
-- @statistic Z of the paired, D of the unpaired test
-- @p two-sided p value
-- @p_holm p value after Holm's correction over the tests of this kind and cohort
select study, suite, cohort, model_a, model_b, kind, statistic, p, p_holm from catalogue.comparisons

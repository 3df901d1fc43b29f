select
    split_part(cohort, ': ', 1) as cohort, split_part(cohort, ': ', 2) as levels, model_a as model, statistic, p, p_holm
from comparisons
where study = $study and suite = $suite and kind = 'subgroup'
order by list_position(['training', 'validation', 'out_of_fold'], split_part(cohort, ': ', 1)) desc, p, model, levels

select s.variable, v.unit, s.level, s.model, s.cohort, s.n, s.events, s.auc, s.auc_lo, s.auc_hi
from subgroups s
left join clinical_variables v on v.study = s.study and v.variable = s.variable
where s.study = $study and s.suite = $suite
order by
    s.variable, list_position(['training', 'validation', 'out_of_fold'], s.cohort) desc, s.model,
    try_cast(s.level as double) nulls last, s.level

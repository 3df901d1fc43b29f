select
    c.cohort, c.model_a, c.model_b, a.auc as auc_a, b.auc as auc_b, a.auc - b.auc as difference,
    c.statistic, c.p, c.p_holm
from comparisons c
left join leaderboard a
    on a.study = c.study and a.suite = c.suite and a.model = c.model_a
    and a.cohort = case when c.kind = 'paired' then c.cohort else split_part(c.cohort, '-', 1) end
left join leaderboard b
    on b.study = c.study and b.suite = c.suite and b.model = c.model_b
    and b.cohort = case when c.kind = 'paired' then c.cohort else split_part(c.cohort, '-', 2) end
where c.study = $study and c.suite = $suite and c.kind = $kind
order by c.cohort desc, c.p_holm is null, c.p, c.model_a, c.model_b

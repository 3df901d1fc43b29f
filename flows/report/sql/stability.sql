-- Classes of Koo and Li 2016 (doi:10.1016/j.jcm.2016.02.012), by the estimate.
select
    phase, kind, max(patients) as patients, count(*) as features, count(*) filter (icc is null) as without,
    count(*) filter (icc < 0.5) as poor, count(*) filter (icc >= 0.5 and icc < 0.75) as moderate,
    count(*) filter (icc >= 0.75 and icc < 0.9) as good, count(*) filter (icc >= 0.9) as excellent,
    median(icc) as median, count(*) filter (lower >= 0.75) as surely_good
from stability
where study = $study and feature_set = $feature_set and split = $split
group by all
order by phase, kind

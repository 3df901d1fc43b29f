select
    a.variable, v.description, a.reader_a, a.reader_b, a.weighting, a.patients, a.agreement, a.kappa, a.standard_error,
    a.lower, a.upper, a.reason
from agreement a
left join clinical_variables v on v.study = a.study and v.variable = a.variable
where a.study = $study
order by a.variable, a.reader_a, a.reader_b, a.weighting desc

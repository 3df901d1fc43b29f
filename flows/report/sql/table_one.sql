select t.* exclude (study, split), v.description
from table_one t
left join clinical_variables v on v.study = t.study and v.variable = t.variable
where t.study = $study and t.split = $split
order by t.position, t.cohort

select model, cohort, patient, avg(probability) as probability, any_value(label) as label
from predictions
where study = $study and suite = $suite
group by all
order by model, cohort, probability, patient

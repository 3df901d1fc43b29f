select model, cohort, repeat, patient, probability, threshold, label
from predictions
where study = $study and suite = $suite
order by model, cohort, probability, patient, repeat

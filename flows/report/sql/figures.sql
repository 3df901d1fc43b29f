select model, cohort, figure, value, lower, upper, reason
from performance
where study = $study and suite = $suite

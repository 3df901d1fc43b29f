select study, title, question, outcome, patients, labelled, events
from studies
where study = $study

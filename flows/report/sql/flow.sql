select position, criterion, kind, before, excluded, "left"
from flow
where study = $study
order by position

-- One row per patient and study: the label, or the reason why there is none.
-- @study the study's id
-- @patient pseudonym
-- @outcome name of the outcome
-- @event 1 where the event was observed
-- @time time to event or to censoring, in time_unit
-- @time_unit UCUM unit of time
-- @label 1 or 0 as derived at the study's horizon, NULL where it cannot be known
-- @reason why there is no label
select l.study, l.patient, l.outcome, o.event, o.time, o.time_unit, l.label, l.reason
from catalogue.labels l
left join catalogue.outcomes o on o.patient = l.patient and o.outcome = l.outcome

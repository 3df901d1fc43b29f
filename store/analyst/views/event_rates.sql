-- How often the outcome has come by the study's horizon, by Kaplan and Meier, beside the share among those with a label.
-- @study the study's id
-- @split split, NULL for all patients of the study
-- @cohort cohort of the split, NULL for all patients of the study
-- @horizon the time at which labels are told
-- @time_unit UCUM unit of the horizon
-- @patients patients whose event and time are known
-- @censored patients followed for less than the horizon without the event, who have no label
-- @labelled patients with a label, the complete cases
-- @events patients with label 1
-- @complete_case_rate events / labelled, too high where patients are censored
-- @rate one less Kaplan and Meier's estimate at the horizon
-- @lower lower 95 % bound of rate, Greenwood's variance on the log-log scale; NULL where the estimate is 0 or 1
-- @upper upper 95 % bound of rate
-- @reason why there is no rate: the estimate ends with the last who is followed, or the split holds nobody who was censored (weighted_performance has a rate of those judged)
with asked as (
    select study, (definition ->> '$.outcome.horizon')::double as horizon, definition ->> '$.outcome.unit' as time_unit
    from catalogue.studies
    where (definition ->> '$.outcome.kind') = 'time_to_event'
),
followed as (
    select l.study, l.patient, a.horizon, a.time_unit, o.event, o.time, l.label
    from catalogue.labels l
    join asked a on a.study = l.study
    join catalogue.outcomes o on o.patient = l.patient and o.outcome = l.outcome and o.time_unit = a.time_unit
    where o.event is not null and o.time is not null
),
grouped as (
    select *, null as split, null as cohort from followed
    union all
    select f.*, m.split, m.cohort
    from followed f
    join catalogue.split_members m on m.study = f.study and m.patient = f.patient
),
counted as (
    select study, split, cohort, horizon, time_unit, count(*) as patients,
        count(*) filter (event = 0 and time < horizon) as censored, count(label) as labelled, max(time) as last_time,
        sum(label)::bigint as events
    from grouped
    group by all
),
steps as (
    select g.study, g.split, g.cohort, g.time, count(*) as at_risk, g.ended
    from (
        select study, split, cohort, time, count(*) as ended
        from grouped
        where event = 1 and time <= horizon
        group by all
    ) g
    join grouped r
        on r.study = g.study and r.split is not distinct from g.split and r.cohort is not distinct from g.cohort
        and r.time >= g.time
    group by all
),
surviving as (
    select study, split, cohort, product(1 - ended / at_risk order by time) as share,
        sqrt(sum(ended / (at_risk * nullif(at_risk - ended, 0)) order by time)) as error
    from steps
    group by all
),
judged as (
    select counted.*, coalesce(s.share, 1) as share, last_time < horizon and coalesce(s.share, 1) > 0 as ends_early,
        -- Splits are made of patients with a label: without the censored this is the rate of complete cases.
        counted.split is not null and censored = 0 and max(censored) over (partition by counted.study) > 0 as lacks_censored,
        case when share > 0 and share < 1 then exp(1.959963984540054 * error / ln(share)) end as widening
    from counted
    left join surviving s
        on s.study = counted.study and s.split is not distinct from counted.split
        and s.cohort is not distinct from counted.cohort
)
select study, split, cohort, horizon, time_unit, patients, censored, labelled, events,
    events / nullif(labelled, 0) as complete_case_rate, case when is_told then 1 - share end as rate,
    case when is_told then 1 - share ** widening end as lower,
    case when is_told then 1 - share ** (1 / widening) end as upper,
    case
        when lacks_censored then 'the split holds only patients with a label'
        when ends_early then 'nobody is followed to the horizon'
    end as reason
from (select *, not (ends_early or lacks_censored) as is_told from judged)
order by study, split nulls first, cohort nulls first

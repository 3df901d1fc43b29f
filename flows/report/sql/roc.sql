with scored as (  -- a patient who was judged several times counts once, with the mean probability
    select model, cohort, patient, avg(probability) as probability, any_value(label) as label
    from predictions
    where study = $study and suite = $suite
    group by all
),
counted as (
    select model, cohort, probability, sum(label) as positives, sum(1 - label) as negatives
    from scored
    group by all
)
select
    model, cohort, probability as threshold,
    sum(negatives) over upward / sum(negatives) over everyone as false_positive_rate,
    sum(positives) over upward / sum(positives) over everyone as sensitivity
from counted
window
    everyone as (partition by model, cohort),
    upward as (partition by model, cohort order by probability desc)
order by model, cohort, threshold desc

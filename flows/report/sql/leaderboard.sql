with judged as (
    select *, list_position(['training', 'validation', 'out_of_fold'], cohort) as position
    from leaderboard
    where study = $study and suite = $suite
)
select * exclude (study, suite, position)
from judged
order by first_value(auc) over (partition by model order by position = 2 desc, position desc) desc, model, position

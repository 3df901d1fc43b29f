select distinct suite from leaderboard where study = $study order by suite desc

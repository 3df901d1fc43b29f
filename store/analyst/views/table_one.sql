-- A study's first table: each clinical variable of each cohort, patients with the outcome (events) and without (others).
-- @study the study's id
-- @split name of the split
-- @cohort training or validation; training-validation where these two are compared: training stands in the columns of label 1 then, validation in those of label 0
-- @position place in the table
-- @variable name of the variable
-- @level the category, the cut point as >value, empty for the number itself
-- @kind number, category (also a number with at most four values) or cut_point (of a model's factor)
-- @unit UCUM unit of the variable
-- @known_events patients with label 1 who have a value
-- @known_others patients with label 0 who have a value
-- @missing_events patients with label 1 without a value
-- @missing_others patients with label 0 without a value
-- @count_events patients with label 1 at this level
-- @count_others patients with label 0 at this level
-- @share_events count_events / known_events
-- @share_others count_others / known_others
-- @mean_events mean of the patients with label 1
-- @median_events median of the patients with label 1
-- @q1_events first quartile of the patients with label 1
-- @q3_events third quartile of the patients with label 1
-- @mean_others mean of the patients with label 0
-- @median_others median of the patients with label 0
-- @q1_others first quartile of the patients with label 0
-- @q3_others third quartile of the patients with label 0
-- @sd_events sample standard deviation
-- @sd_others sample standard deviation
-- @test the test that fits the data: welch-t or mann-whitney, chi-square-yates (two levels), chi-square or fisher
-- @p two-sided p value of the label 1 against the label 0 patients of this cohort
-- @other_test the test it was chosen over, which papers often use
-- @other_p two-sided p value of other_test
select
    study, split, cohort, position, variable, level, kind, unit,
    known_events, known_others, missing_events, missing_others,
    count_events, count_events / nullif(known_events, 0) as share_events,
    count_others, count_others / nullif(known_others, 0) as share_others,
    mean_events, sd_events, median_events, q1_events, q3_events,
    mean_others, sd_others, median_others, q1_others, q3_others,
    test, p, other_test, other_p
from catalogue.characteristics
order by study, split, cohort, position

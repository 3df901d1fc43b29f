with own as (
    select w.*
    from $view w
    join study_masks m using (patient, exam, phase, lesion, reader, reading)
    where m.study = $study and m.is_primary
),
levels as (
    unpivot (select unnest(grey_levels) from own) on columns(*) into name image_type value levels
),
zeros as (
    unpivot (select unnest(zero_fraction) from own) on columns(*) into name image_type value zero
),
zeros_of_type as (
    select image_type, max(zero) as most_zero, count(*) filter (zero > 0.01) as masks_with_zeros from zeros group by all
)
select
    l.image_type, count(*) as masks, min(levels) as fewest, median(levels) as median, max(levels) as most,
    count(*) filter (levels < 8) as masks_below_8, z.most_zero, z.masks_with_zeros
from levels l
left join zeros_of_type z using (image_type)
group by all
order by median, l.image_type

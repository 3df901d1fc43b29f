select flag, count(*) as masks, count(distinct patient) as patients
from (
    select unnest(quality.flags) as flag, quality.patient
    from quality
    semi join study_masks
        on study_masks.study = $study
        and study_masks.patient = quality.patient
        and study_masks.exam = quality.exam
        and study_masks.phase = quality.phase
        and study_masks.lesion = quality.lesion
        and study_masks.reader = quality.reader
        and study_masks.reading = quality.reading
)
group by flag
order by masks desc, flag

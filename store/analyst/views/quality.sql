-- What each mask measures on its image, and what of it deserves a second look. Measures and flags are NULL where the
-- mask was read by a release that measured none: radzoo ingest STUDY.toml --read-again brings them.
-- @patient pseudonym
-- @exam name of the visit
-- @phase named image of the exam
-- @lesion lesion within the patient
-- @reader who drew the mask
-- @reading which time this reader drew it
-- @lesion_voxels [1] voxels of the lesion on the native grid
-- @volume_mm3 [mm3] volume of those voxels
-- @volume_ratio [1] volume over the median volume of the lesion in the exam's other phases, by the same reading; NULL where it has none, and of connected parts, which have no names that phases share
-- @spacing_mm [mm] voxel spacing, x y z
-- @components [1] parts that touch nowhere, not even at a corner; NULL also where the lesion's box is too large to count them
-- @largest_component [1] voxels of the largest part
-- @border_voxels [1] voxels that are the first or last of an axis of the image: the lesion may go on beyond it
-- @slices [1] slices with lesion, along the image's third axis
-- @diameter_mm [mm] longest distance of two voxels' centres within one slice
-- @distinct_values [1] different intensities inside, counted up to 65,536
-- @lowest lowest intensity inside
-- @highest highest intensity inside
-- @flags what deserves a second look: 'few voxels' (under 64: textures tell of the size, doi:10.2967/jnumed.113.129858), 'few slices' (under 3), 'several parts' (but of the union of lesions), 'at the border' (of the image), 'few intensities' (under 8), 'another volume' (volume_ratio under 1/2 or over 2)
with parts as (
    select distinct patient, exam, phase, lesion, reader, reading
    from catalogue.study_masks m join catalogue.studies s using (study)
    where (s.definition::json ->> '$.lesions.each') = 'component' and lesion <> 'union'
),
compared as (
    select m.patient, m.exam, m.phase, m.lesion, m.reader, m.reading, median(o.volume_mm3) as others_mm3
    from catalogue.masks m
    join catalogue.masks o using (patient, exam, lesion, reader, reading)
    where o.phase <> m.phase
    and not exists (from parts p where (p.patient, p.exam, p.phase, p.lesion) = (m.patient, m.exam, m.phase, m.lesion))
    group by all
),
measured as (
    select
        patient, exam, phase, lesion, reader, reading, m.lesion_voxels, m.volume_mm3,
        m.volume_mm3 / c.others_mm3 as volume_ratio, s.spacing_mm, q.components, q.largest_component, q.border_voxels,
        q.slices, q.diameter_mm, q.distinct_values, q.lowest, q.highest
    from catalogue.masks m
    left join catalogue.scans s using (patient, exam, phase)
    left join catalogue.mask_measures q using (patient, exam, phase, lesion, reader, reading)
    left join compared c using (patient, exam, phase, lesion, reader, reading)
)
select
    *,
    case when slices is not null then
        case when lesion_voxels < 64 then ['few voxels'] else [] end
        || case when slices < 3 then ['few slices'] else [] end
        || case when components > 1 and lesion <> 'union' then ['several parts'] else [] end
        || case when border_voxels > 0 then ['at the border'] else [] end
        || case when distinct_values < 8 then ['few intensities'] else [] end
        || case when volume_ratio < 0.5 or volume_ratio > 2 then ['another volume'] else [] end
    end as flags
from measured

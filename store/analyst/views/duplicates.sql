-- Images and masks whose content stands at several places: one row per place. Across patients it is one person twice or a
-- file copied to the wrong name; across exams or phases it may be meant, such as one mask drawn for all phases.
-- @content image or mask
-- @sha256 hash of voxels and geometry
-- @across the widest step between its places: patients, exams, phases, lesions or readings
-- @places how many places have this content
-- @patients how many patients have it
-- @patient pseudonym
-- @exam name of the visit
-- @phase named image of the exam
-- @lesion lesion within the patient, NULL for an image
-- @reader who drew the mask, NULL for an image
-- @reading which time this reader drew it, NULL for an image
-- @source file it was read from; NULL where [privacy] keeps paths out
with placed as (
    select
        'image' as content, image_sha256 as sha256, patient, exam, phase, null::varchar as lesion,
        null::varchar as reader, null::bigint as reading, source
    from catalogue.scans
    union all
    select 'mask', mask_sha256, patient, exam, phase, lesion, reader, reading, source
    from catalogue.masks
),
counted as (
    select
        content, sha256, count(*) as places, count(distinct patient) as patients,
        case
            when count(distinct patient) > 1 then 'patients'
            when count(distinct exam) > 1 then 'exams'
            when count(distinct phase) > 1 then 'phases'
            when count(distinct lesion) > 1 then 'lesions'
            else 'readings'
        end as across
    from placed
    where sha256 <> ''
    group by content, sha256
    having count(*) > 1
)
select
    content, sha256, across, places, patients, patient, exam, phase, lesion, reader, reading,
    nullif(source, '') as source
from counted join placed using (content, sha256)
order by patients desc, content, sha256, patient, exam, phase, lesion, reader, reading

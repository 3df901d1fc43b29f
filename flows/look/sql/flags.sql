select patient, exam, phase, lesion, reader, reading, flags, volume_ratio
from quality
join study_masks using (patient, exam, phase, lesion, reader, reading)
where study = $study and is_primary

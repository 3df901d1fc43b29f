-- Patients that were erased: one row per erasure, the same in every snapshot; no patient is named.
-- @erasure_id name of the erasure
-- @author who asked for it
-- @erased_at when, UTC
-- @status finished, or unfinished where the same erase has to be run again
-- @patient_sha256 SHA-256 of the pseudonym
-- @rows_removed rows removed from the catalogue, of all commits
-- @files_rewritten files that were written again without the patient
-- @datasets pinned datasets that lost the patient
-- @models_marked models that were trained on the patient
-- @receipt all of it, JSON
select
    erasure_id, author, try_cast(erased_at as timestamp) as erased_at, receipt ->> 'status' as status, receipt ->> 'patient_sha256' as patient_sha256,
    coalesce(list_sum(from_json(receipt -> 'rows_removed', '[{"table": "VARCHAR", "rows": "BIGINT"}]').list_transform(
        lambda each: each.rows)), 0)::bigint as rows_removed,
    json_array_length(receipt -> 'files_rewritten')::bigint as files_rewritten,
    json_array_length(receipt -> 'datasets')::bigint as datasets,
    json_array_length(receipt -> 'models_marked')::bigint as models_marked,
    receipt
from catalogue.erasures
order by erased_at, erasure_id

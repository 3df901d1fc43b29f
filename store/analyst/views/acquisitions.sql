-- How each image was acquired, one row per image whose header or BIDS sidecar says anything of it. NULL: it does not
-- say, or says different things of different slices.
-- @patient pseudonym
-- @exam imaging visit
-- @phase named image of the exam
-- @manufacturer of the scanner, one of a list of vendors, other for all else
-- @scanner_model as the header has it, where it is short and plain
-- @field_strength_t magnetic field in tesla
-- @repetition_time_ms repetition time
-- @echo_time_ms echo time
-- @inversion_time_ms inversion time
-- @flip_angle_deg flip angle in degrees
-- @slice_thickness_mm nominal thickness of a slice, which is not the spacing
-- @kvp peak voltage of the X-ray tube in kV
-- @exposure_mas exposure in mAs; tube current that is modulated differs among slices
-- @kernel convolution kernel of the reconstruction
-- @seconds_after_contrast from the start of the contrast agent to the acquisition of the first slice
select
    patient, exam, phase, manufacturer, scanner_model, field_strength_t, repetition_time_ms, echo_time_ms,
    inversion_time_ms, flip_angle_deg, slice_thickness_mm, kvp, exposure_mas, kernel, seconds_after_contrast
from catalogue.acquisitions
order by patient, exam, phase

"""One patient's images and masks, read exam by exam and phase by phase into rows of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flows.imaging.labels import LabelAbsentError, StructureAbsentError
from flows.imaging.opened_files import system_words
from flows.imaging.sources import Source, stat_of_source
from flows.ingest.cases.lesion_choice import lesions_without_a_mask, marked_masks
from flows.ingest.inventory import KnownMasks, PatientInventory, PhaseScan
from flows.privacy.reasons import plain_reason
from flows.remote.study_files import NamedFile, StudyFiles
from flows.scans.last_image import ReadImage
from flows.scans.reader import ImageReader
from flows.study.patients import CohortPatient
from schemas.cases.lesions import UNION, LesionPart, Lesions
from schemas.errors import ContractError
from schemas.keys import MaskKey
from schemas.study.cohort import Phase, Reading
from schemas.study.file import Study

__all__ = ["ONE_LESION", "PatientReading"]

Row = dict[str, Any]
_LONGEST_REASON = 1000
ONE_LESION = "1"
"""What the lesion of a mask is called where the study tells no several."""


@dataclass
class PatientReading:
    """One patient's images and masks, read exam by exam and phase by phase.

    Parameters
    ----------
    study : Study
        The parsed study file.
    files : StudyFiles
        What its path patterns give.
    patient : CohortPatient
        Whose they are.
    known_scans : mapping
        Rows of the store by their source: a file whose size and time of change are as they were is not read again.
    known_masks : KnownMasks
        The store's masks, likewise.
    tolerance : float
        Largest difference of a mask's grid from its image's, as `geometry_difference` counts it.
    reader : ImageReader
        The child process that reads files.
    """

    study: Study
    files: StudyFiles
    patient: CohortPatient
    known_scans: Mapping[str, Row]
    known_masks: KnownMasks
    tolerance: float
    reader: ImageReader
    found: PatientInventory = field(default_factory=PatientInventory)
    seen: dict[tuple[str, ...], Reading] = field(default_factory=dict)
    """The first reading of each exam, phase, lesion and mask's source."""

    def read_exam(self, exam: str) -> None:
        """Add an exam's rows and failures to what was found."""
        masks, failures = len(self.found.masks), len(self.found.failures)
        for name, phase in self.study.phases.items():
            try:
                self._read_phase(exam, name, phase)
            except Exception as error:
                self._fail(MaskKey(self.patient.patient, exam, name, self._any_lesion, "", 0), self._words(error))
        own = self.found.masks[masks:]
        for key in lesions_without_a_mask(self.study, own, self.found.failures[failures:]):
            self._fail(key, f"lesion {key.lesion} is drawn in another phase of the exam, and has no mask in this one")
        self.found.study_masks += marked_masks(self.study, own, self.patient.readings)

    def _read_phase(self, exam: str, name: str, phase: Phase) -> None:
        named = self._named(phase.image, exam, name, ONE_LESION, Reading())
        scan = PhaseScan(exam, name, phase, Source(named.file), named)
        try:
            scan.source = self.files.image(named, phase)
            scan.row = self._unchanged(self.known_scans.get(self._text(scan.source)), scan.source)
            if scan.row is None:
                scan.source = self.files.here(scan.source)
                scan.row, scan.place, lacks_orientation = self.reader.scan(scan.source)
                self._read_acquisition(scan)
                if lacks_orientation:
                    self.found.unoriented.append(named.file.name)
        except Exception as error:
            # A library's own error on one file must not cost the other patients their rows.
            scan.fault = f"image{self._shown(named)}: {self._words(error, named.file)}"
            if self.files.is_absent(named):
                self.found.missing_images.append(name)
        if scan.row is not None:
            # The modality is the study file's word, and may change where the file does not.
            declared = {"exam": exam, "phase": name, "modality": phase.modality}
            self.found.scans.append(scan.row | {"patient": self.patient.patient} | declared)
        for reading in self.patient.readings:
            self._read_masks(scan, reading)

    def _read_masks(self, scan: PhaseScan, reading: Reading) -> None:
        """Add the rows of what a reading drew on a scan, or why there is none."""
        lesions = self.study.lesions
        names = lesions.names if lesions is not None else (ONE_LESION,)
        files = {name: self._mask_file(scan, name, reading) for name in names or (self._any_lesion,)}
        there = [name for name, file in files.items() if not self.files.is_absent(file)]
        if not there:
            self.found.missing_masks.append(scan.name)
        if scan.row is None:
            self._fail(self._key(scan, self._any_lesion, reading), scan.fault)
        elif lesions is None:
            self._read_mask(scan, ONE_LESION, reading)
        elif names is None:
            part = lesions.part(scan.phase.label)
            has_some = self._read_lesions(scan, self._any_lesion, reading, lesions=part)
            if has_some and lesions.use == "union":
                self._read_lesions(scan, UNION, reading, lesions=part.model_copy(update={"union": True}))
        elif there:
            self._read_named(scan, there, reading, lesions)
        else:
            said = f"mask{self._shown(next(iter(files.values())))}: there is none, nor of another lesion"
            self._fail(self._key(scan, self._any_lesion, reading), said)

    def _read_named(self, scan: PhaseScan, names: Sequence[str], reading: Reading, lesions: Lesions) -> None:
        """Add the rows of lesions that have a mask or a segment each; a patient need not have all of them."""
        lacking: list[StructureAbsentError] = []
        failed = len(self.found.failures)
        read = [name for name in names if self._read_mask(scan, name, reading, lacking)]
        if read and lesions.use == "union":
            first, *others = (self._mask_source(scan, name, reading) for name in read)
            part = lesions.part(scan.phase.label, union=True)
            self._read_lesions(scan, UNION, reading, lesions=part, first=first, also=tuple(others))
        if lacking and not read and len(self.found.failures) == failed:
            file = self._mask_file(scan, names[0], reading)
            said = f"mask{self._shown(file)}: {self._words(lacking[0], file.file)}"
            self._fail(self._key(scan, self._any_lesion, reading), said)

    def _read_mask(
        self, scan: PhaseScan, lesion: str, reading: Reading, lacking: list[StructureAbsentError] | None = None
    ) -> bool:
        """Add the row of one lesion's mask, or why there is none, and return whether there is one.

        Where ``lacking`` is given it takes the error of a structure that is not there, which then is no failure.
        """
        key, label = self._key(scan, lesion, reading), scan.phase.label
        try:
            source = self._mask_source(scan, lesion, reading)
            text = self._text(source)
            self._refuse_another_readings(key, source, text, reading)
            known = self._unchanged(self.known_masks.of(text).get(label), source)
            if known is None or not self._is_of(scan, known):
                known = self.reader.mask(self.files.here(source), self._image(scan), label, self.tolerance)
            self._add_mask(scan, key, known)
        except StructureAbsentError as error:
            if lacking is None:
                self._fail_mask(scan, key, reading, error)
            else:
                lacking.append(error)
            return False
        except Exception as error:
            if isinstance(error, LabelAbsentError):
                self.found.absent_labels.append((scan.name, error.present))
            self._fail_mask(scan, key, reading, error)
            return False
        return True

    def _read_lesions(
        self,
        scan: PhaseScan,
        lesion: str,
        reading: Reading,
        *,
        lesions: LesionPart,
        first: Source | None = None,
        also: tuple[Source, ...] = (),
    ) -> bool:
        """Add the rows of the lesions in one mask, or why there are none, and return whether there are any.

        A lesion is called by its label in the mask; ``UNION`` is the only one of its own.
        """
        key = self._key(scan, lesion, reading)
        try:
            alone = first or self._mask_source(scan, self._any_lesion, reading)
            if alone.part is not None and lesions.each == "label":
                raise ContractError(
                    'is DICOM, whose segments have names: list them, each = ["1", "2"], and put {lesion} into segment'
                )
            source = replace(alone, lesions=lesions, also=also)
            text = self._text(source)
            self._refuse_another_readings(key, source, text, reading)
            # All that the mask holds were written at once: as many as are known are all there are, unless a study of
            # another rule has read one of them since.
            known, stat = self.known_masks.of(text).values(), stat_of_source(source, self.files.folder)
            rows = [row for row in known if row["source_stat"] == stat and self._is_of(scan, row)]
            names = {UNION} if lesion == UNION else self.known_masks.lesions(key) - {UNION}
            if not rows or len(rows) < len(known) or {row["lesion"] for row in rows} != names:
                rows = self.reader.lesions(self.files.here(source), self._image(scan), self.tolerance)
            for row in rows:
                name = str(row["mask_label"]) if lesion != UNION else UNION
                self._add_mask(scan, key._replace(lesion=name), row)
        except Exception as error:
            if isinstance(error, LabelAbsentError):
                self.found.absent_labels.append((scan.name, error.present))
            self._fail_mask(scan, key, reading, error)
            return False
        return True

    def _add_mask(self, scan: PhaseScan, key: MaskKey, row: Row) -> None:
        assert scan.row is not None  # noqa: S101  (masks of no image are not read)
        self.found.masks.append(row | {"image_sha256": scan.row["image_sha256"]} | key._asdict())

    def _is_of(self, scan: PhaseScan, row: Row) -> bool:
        """Return whether a row that the store knows is of this image."""
        return scan.row is not None and bool(row["image_sha256"] == scan.row["image_sha256"])

    def _read_acquisition(self, scan: PhaseScan) -> None:
        """Add how an image was acquired; a header that cannot say it costs no image."""
        with suppress(ContractError):
            said = self.reader.acquisition(scan.source)
            if any(value is not None for value in said.values()):
                key = {"patient": self.patient.patient, "exam": scan.exam, "phase": scan.name}
                self.found.acquisitions.append(key | said)

    def _image(self, scan: PhaseScan) -> ReadImage:
        """Return the image of a scan, which is read where its row was known: a mask needs its place and voxels."""
        assert scan.row is not None  # noqa: S101  (masks of no image are not read)
        if scan.place is None:
            scan.source = self.files.here(scan.source)
            scan.place = self.reader.scan(scan.source)[1]
        return ReadImage(scan.source, scan.row["image_sha256"], scan.place)

    def _fail_mask(self, scan: PhaseScan, key: MaskKey, reading: Reading, error: Exception) -> None:
        is_of_image = isinstance(error, ContractError) and error.where == str(scan.source.file)
        # Of a common mask the first lesion's file stands for all of them.
        lesion = self._any_lesion if key.lesion == UNION else key.lesion
        file = scan.named if is_of_image else self._mask_file(scan, lesion, reading)
        words = self._words(error, scan.named.file, file.file)
        self._fail(key, f"{'image' if is_of_image else 'mask'}{self._shown(file)}: {words}")

    def _fail(self, key: MaskKey, reason: str) -> None:
        shown = "".join(each if each.isprintable() else "?" for each in " ".join(reason.split()))
        about = {"stage": "ingest", "study": self.study.id, "feature_set": "", "feature": ""}
        self.found.failures.append(about | key._asdict() | {"reason": shown[:_LONGEST_REASON]})

    @property
    def _any_lesion(self) -> str:
        """Return what a failure names that is about all lesions of a mask: the first name, where they have names."""
        names = self.study.lesions.names if self.study.lesions is not None else None
        return names[0] if names else ONE_LESION

    def _key(self, scan: PhaseScan, lesion: str, reading: Reading) -> MaskKey:
        return MaskKey(self.patient.patient, scan.exam, scan.name, lesion, reading.reader, reading.reading)

    def _mask_file(self, scan: PhaseScan, lesion: str, reading: Reading) -> NamedFile:
        return self._named(scan.phase.mask, scan.exam, scan.name, lesion, reading)

    def _mask_source(self, scan: PhaseScan, lesion: str, reading: Reading) -> Source:
        values = self.patient.pattern_values(scan.exam, scan.name, lesion, reading)
        return self.files.mask(self._mask_file(scan, lesion, reading), scan.phase, values)

    def _refuse_another_readings(self, key: MaskKey, source: Source, text: str, reading: Reading) -> None:
        """Refuse a DICOM mask that is another reading's already: the two would agree in everything."""
        # What has no text in the catalogue is refused when it is read.
        if source.part is None or not text:
            return
        first = self.seen.setdefault((key.exam, key.phase, key.lesion, text), reading)
        if first != reading:
            raise ContractError(
                f"is the mask of reading {first.reader}.{first.reading} too: its path or its segment needs {{reader}} "
                "or {reading}"
            )

    def _named(self, pattern: str, exam: str, phase: str, lesion: str, reading: Reading) -> NamedFile:
        return self.files.named(pattern, self.patient.pattern_values(exam, phase, lesion, reading))

    def _unchanged(self, row: Row | None, source: Source) -> Row | None:
        """Return a row of the store where its files are as they were."""
        return row if row is not None and row["source_stat"] == stat_of_source(source, self.files.folder) else None

    def _text(self, source: Source) -> str:
        try:
            return source.text(self.files.folder)
        except (ContractError, OSError, ValueError):
            return ""  # reading it says why

    def _shown(self, named: NamedFile) -> str:
        """Return a blank and a file's path below the study's folder; nothing where the study keeps paths to itself."""
        return "" if self.study.privacy is not None else f" {self.files.shown(named)}"

    def _words(self, error: Exception, *files: Path) -> str:
        words = _words(error)
        return words if self.study.privacy is None else plain_reason(words, files)


def _words(error: Exception) -> str:
    if isinstance(error, ContractError):
        return f"{error.message} ({error.hint})" if error.hint else error.message
    if isinstance(error, OSError):
        return f"cannot be read: {system_words(error)}"
    # A library's words may hold the file's own, and places in memory.
    return f"reading it ends in a {type(error).__name__}"

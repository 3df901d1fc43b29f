"""Mutated images by the hundred: ``python -m tests.attacks.images --count 1500 --seed 1``.

Each study holds many mutants and three good patients. It is ingested twice, and refreshed where asked. Wrong is: an
exit code that is none of the project's, a traceback, a hang, two gigabytes in a process, a good patient without rows, a
second ingest that commits again, a reason with a place in memory or outside of the study, and an image that is
accepted with other voxels or another geometry than ITK reads from the same file.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import subprocess
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from .made.image_mutations import mutant
from .made.image_seeds import SEEDS, Files, truth_ending, voxels_of
from .made.image_study import command, commits_of, faults_of_run, outcome_of, written_study

__all__ = ["attack", "drawn"]

_A_STUDY = 100
_ITK = """
import json, sys
import SimpleITK as sitk
from flows.imaging.labels import lesion_mask
from flows.imaging.volumes import image_sha256, mask_sha256
sitk.ProcessObject.GlobalWarningDisplayOff()
for line in sys.stdin:
    file, is_mask = json.loads(line)
    try:
        image = sitk.ReadImage(file)
        while image.GetDimension() > 3:
            image = image[(slice(None),) * (image.GetDimension() - 1) + (0,)]
        print(json.dumps(mask_sha256(lesion_mask(image, 1)) if is_mask else image_sha256(image)), flush=True)
    except Exception as error:
        print(json.dumps("refused: " + str(error).strip().splitlines()[-1]), flush=True)
"""


def drawn(seed: int, count: int) -> Iterator[tuple[str, str, tuple[Files, Files]]]:
    """Give a mutation's name, the patient and the files of its image and mask, of which one is a mutant."""
    draw = random.Random(seed)  # noqa: S311  (mutations that can be repeated)
    for number in range(count):
        patient = f"M{number:03}"
        kind, other = draw.choice(list(SEEDS)), draw.choice(list(SEEDS))
        is_mask = draw.random() < 0.3
        voxels = voxels_of(1000 * seed + number, is_mask=False)
        image, mask = (SEEDS[kind](patient, each) for each in (voxels, voxels_of(0, is_mask=True)))
        name, changed = mutant(draw, mask if is_mask else image, SEEDS[other](patient, voxels))
        yield f"{kind}, {name}", patient, ((image, changed) if is_mask else (changed, mask))


def attack(seed: int, count: int, folder: Path, *, refresh: bool, show: bool = False) -> tuple[Counter[str], list[str]]:
    """Return how many mutants of one study came to what, and what is wrong."""
    mutants = list(drawn(seed, count))
    study = written_study(folder, {patient: files for _, patient, files in mutants})
    first = command(study, "ingest", str(study.file), limit_s=60 + count)
    faults = [*first.faults]
    outcomes: Counter[str] = Counter()
    if first.seconds > 10 + count / 10:
        faults.append(f"ingest took {first.seconds:.1f} s")
    before = commits_of(study)
    again = command(study, "ingest", str(study.file), limit_s=60 + count)
    faults += again.faults
    if commits_of(study) != before:
        faults.append("the second ingest committed again")
    reasons, wrong = faults_of_run(study, [patient for _, patient, _ in mutants])
    faults += wrong
    accepted = outcome_of(study)
    names = {patient: name for name, patient, _ in mutants}
    truths = _truths(study.folder, [key for key in accepted if key[1] in names])
    for key, sha256 in accepted.items():
        if key[1] not in names or (key[1] in reasons and key[0] == "masks"):
            continue
        truth = truths.get(key, "unknown")
        outcomes["as ITK reads it" if truth == sha256 else "read, which ITK does not"] += 1
        if show and truth != sha256:
            print(f"{names[key[1]]}: {key}, {truth}")
        if truth != sha256 and not truth.startswith(("refused", "unknown")):
            faults.append(f"{names[key[1]]}: {key} differs from what ITK reads")
    outcomes |= Counter({"refused": len(reasons)})
    if refresh:
        done = command(study, "refresh", "--workers", "2", limit_s=120 + count)
        faults += done.faults
    return outcomes, [f"seed {seed}: {each}" for each in faults]


def _truths(folder: Path, keys: list[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return the hash by ITK of each file, given to it alone in a folder; a crash of it is a refusal."""
    found: dict[tuple[str, str], str] = {}
    rest = list(keys)
    while rest:
        with tempfile.TemporaryDirectory() as place:
            lines, asked = [], []
            for number, (what, patient) in enumerate(rest):
                target = Path(place) / str(number)
                target.mkdir()
                for file in (folder / what).glob(f"{patient}.*"):
                    content = file.read_bytes()
                    # What is packed, its first bytes say here, and its ending in ITK.
                    (target / file.name).write_bytes(_for_itk(content) if file.suffix == ".img" else content)
                named = target / f"{patient}.hdr"
                named.write_bytes(content := _for_itk(named.read_bytes()))
                ending = truth_ending(content)
                if ending is None:
                    found[what, patient] = "unknown"
                    continue
                named.rename(named.with_suffix(ending) if ending != ".hdr" else named)
                lines.append(json.dumps([str(target / f"{patient}{ending}"), what == "masks"]))
                asked.append((what, patient))
            done = subprocess.run(
                [sys.executable, "-c", _ITK], input="\n".join(lines) + "\n", capture_output=True, text=True, check=False
            )
        answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('"')]
        found |= dict(zip(asked, answers, strict=False))
        if len(answers) == len(asked):
            break
        found[asked[len(answers)]] = "refused: ITK crashes"
        rest = asked[len(answers) + 1 :]
    return found


def _for_itk(content: bytes) -> bytes:
    """Return a file unpacked where ITK's own unpacking is not to be trusted: MetaIO gives memory for packed voxels."""
    with suppress(zlib.error, EOFError, gzip.BadGzipFile):
        while content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
        at = content.find(b"ElementDataFile = LOCAL\n")
        if at >= 0 and b"CompressedData = True" in content[:at]:
            head = content[: at + 24].replace(b"CompressedData = True", b"CompressedData = False")
            return head + zlib.decompress(content[at + 24 :], 47)
    return content


def main() -> int:
    """Run the attack of the command line and return 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--refresh", action="store_true", help="refresh each study too")
    parser.add_argument("--show", action="store_true", help="name what is read and ITK does not read")
    options = parser.parse_args()
    total: Counter[str] = Counter()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for start in range(0, options.count, _A_STUDY):
            count = min(_A_STUDY, options.count - start)
            seed, place = options.seed + start // _A_STUDY, Path(folder) / "study"
            outcomes, faults = attack(seed, count, place, refresh=options.refresh, show=options.show)
            total += outcomes
            wrong += faults
            for each in faults:
                print(each, flush=True)
    print(f"{options.count} mutants: {dict(total)}; wrong: {len(wrong)}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())

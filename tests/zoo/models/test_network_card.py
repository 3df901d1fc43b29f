"""Cards of networks: what they read, how they were trained, what else was selected; and the words of older releases."""

from __future__ import annotations

import re

import polars as pl
import pytest
from builders.fused_tables import QUICK, fused_table

from schemas.features.region_settings import RegionSettings
from schemas.study.models import FactorRule, ModelSettings
from zoo.models.card import model_card
from zoo.models.summary import chosen_penalties, model_summary
from zoo.models.words import inputs_words, network_words, penalty_words, region_words, step_words, unit_words
from zoo.registry import model_spec
from zoo.tables.inputs import ModelInputs

FACTOR_RULES = [
    FactorRule(variable="afp", above=400),
    FactorRule(variable="tumour_number", above=1),
    FactorRule(variable="age"),
]
VARIABLES = {
    "afp": {"kind": "number", "unit": "[IU]/mL", "levels": None},
    "tumour_number": {"kind": "number", "unit": "1", "levels": None},
    "age": {"kind": "number", "unit": "a", "levels": None},
}


def metadata(model: str, columns: list[str]) -> dict[str, object]:
    """Return what model.json would hold of a model on the fused table."""
    fuses = model != "dl_resnet10"
    rules = [rule.model_dump() | {"name": rule.label} for rule in FACTOR_RULES] if fuses else []
    regions = RegionSettings(size=16, margin_mm=5, registration={"method": "ants"})
    return {
        "study": "s",
        "title": "a study",
        "question": "",
        "outcome": "recurrence",
        "model": model,
        "training_sha256": "a" * 64,
        # As a release that knew neither comparators nor agreement wrote them.
        "inputs": {"split": "paper", "phases": ["AP", "PVP"], "factors": rules},
        "feature_set": {"feature_set": "f@1", "definition_sha256": "b" * 64} if fuses else None,
        "regions": {
            "feature_set": "crops@3",
            "definition_sha256": "c" * 64,
            "settings": regions.model_dump(mode="json"),
        },
        "variables": VARIABLES,
        "columns": columns,
        "dataset_id": "d",
        "dataset_sha256": "e" * 64,
        "commit_id": 4,
        "cohorts": {"training": {"patients": 40, "events": 20}},
        "excluded": 0,
        "libraries": {"radzoo": "0"},
        "threshold": 0.5,
        "threshold_rule": "chosen",
        "training_auc": 0.7,
    }


@pytest.fixture(scope="module")
def fitted():
    """Return the three kinds of networks, fitted, and the columns that each reads."""
    table, labels = fused_table()
    found = {}
    for model in ("dl_resnet10", "dlrcr", "late_fusion"):
        given = table.select(pl.col("^.*__region$")) if model == "dl_resnet10" else table
        estimator = model_spec(model).build(ModelSettings(network=QUICK), random_state=3).fit(given, labels)
        found[model] = (estimator, given.columns)
    return found


def card_of(fitted, model: str) -> dict[str, str]:
    """Return a card's sections by their titles."""
    estimator, columns = fitted[model]
    summary = model_summary(estimator) | {"penalties": chosen_penalties(estimator)}
    card = model_card(model_spec(model), metadata(model, columns), summary)
    assert "stage" not in card
    parts = re.split(r"^## (.*)\n\n", card, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], (text.strip() for text in parts[1::2]), strict=True))


def test_a_network_says_what_it_reads_and_how_it_was_trained(fitted) -> None:
    """Regions, architecture, optimiser, epochs and patients set aside are on the card, as the fit has them."""
    network = fitted["dl_resnet10"][0]
    card = card_of(fitted, "dl_resnet10")
    assert card["Inputs"].splitlines() == [
        f"- Regions crops@3, definition {'c' * 64}",
        "- A region: 3 slices of 16 x 16 pixels about the largest tumour area, 5 mm around the tumour",
        "- Registration: rigid, onto AP, by mutual information (ANTs)",
        "- Intensities: mean 0 and standard deviation 1 over each whole image",
        "- Phases: AP, PVP",
        "- 2 columns in all, listed in model.json; 2 of them are regions, one a phase",
    ]
    assert card["How it was selected"] == "No feature was selected: the network reads the regions whole."
    assert card["How it was trained"].splitlines() == [
        f"- Architecture: ResNet-10, {network.n_weights_:,} weights, trained from scratch; "
        "one trunk for all phases, their features side by side",
        "- Optimiser: Adam, learning rate 0.001, weight decay 0.0001",
        "- Batch: at most 16 patients",
        f"- Epochs: 2 run of at most 2, the weights of epoch {network.best_epoch_} kept",
        "- Early stopping: 8 training patients set aside, stopping after 20 epochs without a smaller loss on them; "
        "32 moved the weights",
        "- Class weights: each label's loss is weighed inversely to its frequency",
        "- Augmentation: rotation by up to 15 degrees, scaling by up to 10%, shift by up to 10% of the side, "
        "mirroring of either axis",
    ]
    assert card["What it learned"].startswith(f"{network.n_weights_:,} weights of the network")


def test_a_fused_network_says_what_it_selected_beside(fitted) -> None:
    """The joint layer's columns stand with their weights, the selection's counts and the LASSO's penalty."""
    card = card_of(fitted, "dlrcr")
    combined = fitted["dlrcr"][0].combined_
    assert (
        f"| with the clinical factors that were kept | {len(combined.get_feature_names_out())} |"
        in (card["How it was selected"])
    )
    for name in combined.get_feature_names_out():
        assert f"| {name} |" in card["What it learned"]
    lasso = dict(combined.selection_.steps)["lasso"]
    assert f"- LASSO: C = {lasso.C_:.4g}" in card["What it learned"]
    assert "ResNet-10" in card["How it was trained"]


def test_late_fusion_says_what_its_members_are(fitted) -> None:
    """Both members' weights, the combined model's columns and the network's training are on the card."""
    model = fitted["late_fusion"][0]
    card = card_of(fitted, "late_fusion")
    assert "| network | " in card["What it learned"]
    assert "| combined model | " in card["What it learned"]
    for name in model.tabular_["combine"].get_feature_names_out():
        assert f"| {name} |" in card["What it learned"]
    assert card["What it learned"].count("Intercept ") == 2
    assert "| kept by the LASSO | " in card["How it was selected"]
    assert "patients of 2 parts they had not been fitted to" in card["How it was trained"]
    assert f"C = {model.tabular_['classifier'].C_:.4g}" in card["What it learned"]


def test_factors_are_named_with_their_units(fitted) -> None:
    """Years are written out, a count has no unit, other units stay as UCUM has them."""
    lines = card_of(fitted, "dlrcr")["Inputs"].splitlines()
    assert "- Factor age: age in years (a)" in lines
    assert "- Factor tumour_number>1: 1 where tumour_number > 1" in lines
    assert "- Factor afp>400: 1 where afp > 400 [IU]/mL" in lines
    assert [unit_words(unit) for unit in (None, "1", "mo", "U/L")] == ["", "", "months (mo)", "U/L"]


def test_steps_have_the_order_in_which_they_were_taken() -> None:
    """Sorted keys are put back into the order of the selection; a step without a word keeps its name."""
    told = step_words({"another": 1, "impute": 9, "lasso": 2, "univariable": 4})
    assert [count for _, count in told] == [9, 4, 2, 1]
    assert told[-1] == ("another", 1)


def test_a_summary_of_a_former_release_says_less(fitted) -> None:
    """Without settings the architecture, the epochs and the patients set aside are still told."""
    network = model_summary(fitted["dl_resnet10"][0])["network"]
    del network["settings"]
    lines = network_words(network)
    assert len(lines) == 3
    assert lines[1] == f"Epochs: 2 run, the weights of epoch {network['best_epoch']} kept"
    assert penalty_words({}) == []


def test_what_is_off_is_said_to_be_off(fitted) -> None:
    """No patients set aside, no class weights, no transforms and no registration are told as such."""
    network = model_summary(fitted["dl_resnet10"][0])["network"]
    network["patients_for_early_stopping"] = 0
    network["settings"] |= {
        "class_weights": False,
        "optimiser": "sgd",
        "augmentation": {"rotation_degrees": 0, "scaling": 0, "shift": 0, "flip": False},
    }
    lines = network_words(network | {"device": "cpu"})
    assert "Class weights: none" in lines
    assert "Augmentation: none" in lines
    assert "Early stopping: none, all 32 training patients moved the weights" in lines
    assert "momentum 0.9" in lines[1]
    assert lines[-1] == "Device: cpu"
    words = region_words(
        RegionSettings(slices=1, normalize="none", registration={"method": "none"}).model_dump(mode="json"), ["AP"]
    )
    assert words[0].startswith("A region: 1 slice of 256 x 256")
    assert words[1:] == [
        "Registration: none, phases lie as the scanner has them",
        "Intensities: as the scanner gives them",
    ]


def test_inputs_of_any_release_are_put_into_words() -> None:
    """Features and regions are both told, and keys that an early release did not write are no fault."""
    phases = ["AP", "DP"]
    both = {"feature_set": "f@1", "minimum_icc": 0.9, "regions": "crops@3", "phases": phases, "factors": [1, 2]}
    assert inputs_words(both) == "2 factors + f@1 in AP, DP, ICC >= 0.9 + crops@3 in AP, DP"
    assert inputs_words({"regions": "crops@3", "phases": phases}) == "crops@3 in AP, DP"
    assert inputs_words({"comparator": "nlr"}) == "nlr"


def test_inputs_without_keys_of_later_releases_are_read() -> None:
    """A dataset that was pinned before comparators and agreement were written down has neither."""
    early = {"split": "paper", "feature_set": "f@1", "phases": ["AP"], "factors": [], "variables": {}, "words": {}}
    found = ModelInputs.from_dict(early)
    assert (found.comparator, found.minimum_icc, found.phases) == (None, None, ("AP",))

"""Networks as estimators: what they read, what they refuse, and probabilities of the training's frequency."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from builders.synthetic_regions import region_table, table_of
from sklearn.base import clone, is_classifier

from schemas.errors import ContractError, UsageError
from schemas.study.networks import NetworkSettings
from zoo.networks.classifier import NetworkClassifier
from zoo.networks.region_columns import is_region_column, region_images

QUICK = NetworkSettings(
    epochs=3, batch_size=8, optimiser="adam", learning_rate=1e-3, device="cpu", threads=1, validation_fraction=0.2
)


@pytest.fixture(scope="module")
def fitted() -> tuple[NetworkClassifier, pl.DataFrame]:
    """Return a network of two phases that was trained for a moment, and its table."""
    table, labels = region_table(16, phases=2)
    return NetworkClassifier("resnet10", QUICK, random_state=2).fit(table, labels), table


def test_regions_of_a_table() -> None:
    """Columns of regions become one array, phases in the columns' order; other columns are left out."""
    table, _ = region_table(5)
    phases, images = region_images(table.with_columns(age=pl.lit(50.0)).select("DP__region", "age", "AP__region"))
    assert phases == ("DP", "AP")
    assert images.shape == (5, 2, 3, 16, 16)
    assert images.dtype == np.float32
    np.testing.assert_array_equal(images[:, 1], table["AP__region"].to_numpy())
    assert is_region_column("AP__region")
    assert not is_region_column("AP__original_glcm_Contrast")


def test_tables_that_are_no_regions() -> None:
    """No regions, other shapes, missing regions and values that are no numbers are refused by the column's name."""
    table, labels = region_table(4)
    with pytest.raises(ContractError, match="no regions"):
        region_images(pl.DataFrame({"age": [1.0]}))
    with pytest.raises(ContractError, match="not Float64"):
        region_images(pl.DataFrame({"AP__region": [1.0]}))
    missing = pl.Series([None, *table["DP__region"].to_list()[1:]], dtype=table["DP__region"].dtype)
    with pytest.raises(ContractError, match="1 patients have no region"):
        region_images(table.with_columns(DP__region=missing))
    with pytest.raises(ContractError, match="differ in shape"):
        region_images(table.with_columns(DP__region=region_table(4, size=8)[0]["DP__region"]))
    images = region_images(table)[1]
    images[2, 1, 0, 3, 3] = np.nan
    with pytest.raises(ContractError, match="row 2") as error:
        NetworkClassifier("resnet10", QUICK).fit(table_of(images), labels)
    assert error.value.where == "PVP__region"
    with pytest.raises(ContractError, match="label 0 from label 1"):
        NetworkClassifier("resnet10", QUICK).fit(table, [1, 2, 1, 2])


def test_it_is_an_estimator(fitted: tuple[NetworkClassifier, pl.DataFrame]) -> None:
    """It is a classifier that can be cloned, has the attributes it says, and probabilities that add up to 1."""
    model, table = fitted
    assert is_classifier(model)
    assert not hasattr(clone(model), "weights_")
    assert clone(model).get_params() == model.get_params()
    assert model.classes_.tolist() == [0, 1]
    assert model.phases_ == ["AP", "PVP"]
    assert model.n_fitted_ + model.n_inner_validation_ == 16
    assert model.n_weights_ == 683_200 + 2 * (2 * 128 + 1)
    probabilities = model.predict_proba(table)
    assert probabilities.shape == (16, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(model.predict(table), (probabilities[:, 1] > 0.5).astype(int))
    assert model.embed(table).shape == (16, 2, 128)


def test_columns_may_come_in_another_order(fitted: tuple[NetworkClassifier, pl.DataFrame]) -> None:
    """Phases are told by name; a missing one and another size are refused."""
    model, table = fitted
    np.testing.assert_array_equal(model.predict_proba(table[:, ::-1]), model.predict_proba(table))
    with pytest.raises(ContractError, match="trained on 'AP__region', which the table lacks"):
        model.predict_proba(table.drop("AP__region"))
    with pytest.raises(ContractError, match="regions of 3 x 16 x 16, these are of 3 x 20 x 20"):
        model.predict_proba(region_table(2, size=20, phases=2)[0])


def test_a_patient_is_judged_alone(fitted: tuple[NetworkClassifier, pl.DataFrame]) -> None:
    """A patient's probability is the same, up to rounding, whoever else is asked about."""
    model, table = fitted
    alone = np.concatenate([model.predict_proba(table[row : row + 1]) for row in range(table.height)])
    np.testing.assert_allclose(alone, model.predict_proba(table), atol=1e-5)


def test_copies_answer_alike(fitted: tuple[NetworkClassifier, pl.DataFrame]) -> None:
    """A pickled copy has the same settings, weights and answers."""
    model, table = fitted
    copy = pickle.loads(pickle.dumps(model))  # noqa: S301  (our own bytes: workers send estimators to each other)
    assert copy.settings == model.settings
    np.testing.assert_array_equal(copy.predict_proba(table), model.predict_proba(table))


def test_probabilities_have_the_frequency_of_training() -> None:
    """What weighing both labels alike does to the log odds is taken back; without weights nothing is."""
    table, labels = region_table(20, contrast=0)
    labels = (np.arange(20) < 15).astype(int)
    settings = QUICK.model_copy(update={"validation_fraction": 0.0})
    weighted = NetworkClassifier("resnet10", settings).fit(table, labels)
    assert weighted.prior_log_odds_ == pytest.approx(np.log(15 / 5))
    from zoo.networks.runtime import scores_of

    scores = scores_of(weighted.network(), weighted.scaled_images(table), settings)
    np.testing.assert_allclose(weighted.decision_function(table), scores[:, 1] - scores[:, 0] + np.log(3))
    plain = settings.model_copy(update={"class_weights": False, "epochs": 1})
    assert NetworkClassifier("resnet10", plain).fit(table, labels).prior_log_odds_ == 0


@pytest.mark.parametrize("fusion", ["separate", "early"])
def test_other_fusions_are_trained_and_asked(fusion: str) -> None:
    """Separate trunks and early fusion train, answer and embed as the shared trunk does."""
    table, labels = region_table(8)
    model = NetworkClassifier("resnet10", QUICK.model_copy(update={"fusion": fusion, "epochs": 1})).fit(table, labels)
    assert np.isfinite(model.predict_proba(table)).all()
    assert model.embed(table).shape == ((8, 1, 128) if fusion == "early" else (8, 3, 128))


def test_no_cuda_device() -> None:
    """A study that insists on CUDA is told where there is none."""
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    table, labels = region_table(8)
    with pytest.raises(UsageError, match="no"):
        NetworkClassifier("resnet10", QUICK.model_copy(update={"device": "cuda"})).fit(table, labels)


def test_the_registry_does_not_load_pytorch() -> None:
    """The registry is imported, and every member built, without PyTorch and MONAI."""
    code = (
        "import sys; from zoo.registry import REGISTRY; "
        "[spec.build() for spec in REGISTRY.values()]; print(*({'torch', 'monai'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""

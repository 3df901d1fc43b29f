"""Members of other packages: what is found, what is refused, and that nothing broken breaks the others."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent

import numpy as np
import polars as pl
import pytest
from builders.example_package import on_the_path

from flows.cli.main import exit_code
from flows.doctor.packages import package_findings
from flows.study.names import name_faults
from schemas.errors import ContractError
from schemas.study.models import ModelSettings
from schemas.study.text import parsed_study
from zoo.members import BUILT_IN_MEMBERS, MEMBERS, package_faults
from zoo.models.training import fit_and_save_model, plan_training
from zoo.plugins import PluginModel, PluginNetwork
from zoo.registry import REGISTRY, model_names, model_spec
from zoo.saving.persist import load_model, save_model
from zoo.tables.fits import UnfitError

MODULE = """
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from zoo.plugins import PluginModel, PluginNetwork

def model(build, types=("planted.Own",), **options):
    return PluginModel(inputs=("clinical",), description="d", build=f"planted:{build}", types=types, **options)

class Own(LogisticRegression):
    pass

class Secret(LogisticRegression):
    pass

class Bad(ClassifierMixin, BaseEstimator):
    def __init__(self, fault="fit"):
        self.fault = fault
    def fit(self, X, y):
        if self.fault == "fit":
            raise KeyError("a key")
        self.classes_ = [1, 0] if self.fault == "classes" else [0, 1]
        return self
    def predict_proba(self, X):
        if self.fault == "predict":
            raise TypeError("a type")
        return [[0.5, 1.5 if self.fault == "range" else 0.5]] * len(X)

own = lambda settings, random_state=0: Own()
secret = lambda settings, random_state=0: Secret()
bad = lambda settings, random_state=0: Bad()
bad_range = lambda settings, random_state=0: Bad("range")
bad_predict = lambda settings, random_state=0: Bad("predict")
bad_classes = lambda settings, random_state=0: Bad("classes")
nothing = lambda settings, random_state=0: None
raises = lambda settings, random_state=0: 1 / 0

OWN, SECRET, BAD = model("own"), model("secret"), model("bad")
BAD_RANGE, BAD_PREDICT, BAD_CLASSES = model("bad_range"), model("bad_predict"), model("bad_classes")
NOTHING, RAISES, LOST = model("nothing"), model("raises"), model("lost")
OPEN = model("own", types=("os.system",))
TEXT = "a text"
"""


@pytest.fixture
def planted(tmp_path):
    """Return a function that installs a package ``planted`` with these entry points, and gives its folder."""

    def plant(models="", networks="", module=MODULE, package="planted"):
        folder = tmp_path / package
        info = folder / f"{package}-2.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 2.0\n")
        groups = {"radzoo.models": models, "radzoo.networks": networks}
        text = "\n".join(f"[{group}]\n{dedent(lines)}" for group, lines in groups.items() if lines)
        (info / "entry_points.txt").write_text(text + "\n")
        (folder / "planted.py").write_text(module)
        return folder

    return plant


def test_members_of_a_package_stand_behind_radzoos_own(planted):
    """They are listed, described and built like others, and gone where the package is."""
    with on_the_path(planted("own = planted:OWN")):
        assert list(MEMBERS) == [*BUILT_IN_MEMBERS, "own"] == list(model_names())
        assert (MEMBERS["own"].package, MEMBERS["own"].inputs, "own" in REGISTRY) == ("planted", ("clinical",), True)
        assert type(model_spec("own").build(ModelSettings(), random_state=1)).__name__ == "Own"
    assert "own" not in MEMBERS
    assert list(MEMBERS) == list(BUILT_IN_MEMBERS)


@pytest.mark.parametrize(
    ("line", "module", "reason"),
    [
        ("x = planted:OWN", "import nosuchlibrary", "planted:OWN cannot be loaded: ModuleNotFoundError"),
        ("x = planted:OWN", "raise SystemExit(3)", "planted:OWN cannot be loaded: SystemExit: 3"),
        ("x = planted:OWN", "def (", "planted:OWN cannot be loaded: SyntaxError"),
        ("x = planted:NONE", MODULE, "planted:NONE cannot be loaded: AttributeError"),
        ("x = planted:TEXT", MODULE, "planted:TEXT is no zoo.plugins.PluginModel"),
        ("x = planted:OPEN", MODULE, "types has 'os.system', which is neither of planted nor of sklearn"),
        ("cr = planted:OWN", MODULE, "there is a built-in model of that name"),
        ("Radiomics-LR = planted:OWN", MODULE, "there is a built-in model of that name"),
        ("a b = planted:OWN", MODULE, "a model's name has letters and digits"),
        ("x = planted", MODULE, "it is no module:name"),
    ],
)
def test_a_broken_package_is_left_out_named_once_and_by_the_doctor(planted, capsys, line, module, reason):
    """Every other member is there; `models zoo` says one line, and the doctor the same with a next step."""
    with on_the_path(planted(line, module=module)):
        assert exit_code(["models", "zoo"]) == 0
        captured = capsys.readouterr()
        assert captured.err.count("\n") == 1
        assert captured.err.startswith(
            f"warning: '{line.partition(' =')[0]}' of the package planted is left out: {reason}"
        )
        assert list(MEMBERS) == list(BUILT_IN_MEMBERS)
        (fault,) = package_faults()
        assert fault.reason.startswith(reason)
        (finding,) = package_findings()
        assert (finding.state, finding.what) == ("warning", "planted")
        assert reason in finding.found
        assert finding.next_step


def test_a_name_that_two_packages_add_is_the_first_ones(planted):
    """One of them counts, and the other is named as a fault."""
    first, second = planted("own = planted:OWN"), planted("own = planted:SECRET", package="other")
    with on_the_path(second, first):
        (fault,) = package_faults()
        assert "adds a model of that name too" in fault.reason
        assert {fault.package, MEMBERS["own"].package} == {"planted", "other"}


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"inputs": ()}, "inputs are 'clinical' and 'radiomics'"),
        ({"inputs": ("regions",)}, "inputs are 'clinical' and 'radiomics'"),
        ({"options": ("lasso",)}, "options has 'lasso'; nearest: lasso_rule"),
        ({"types": ("Own",)}, "types has 'Own', which is no module.Class"),
        ({"build": "planted.own"}, "build is 'planted.own', which is no module:function"),
        ({"description": "two\nlines"}, "description is one sentence"),
    ],
)
def test_a_description_says_what_is_wrong_with_it(settings, reason):
    """So that who writes a package sees it where the package is imported."""
    right = {"inputs": ("clinical",), "description": "d", "build": "a:b", "types": ("a.B",)}
    with pytest.raises(ValueError, match=reason):
        PluginModel(**right | settings)
    with pytest.raises(ValueError, match="is no module:function"):
        PluginNetwork(description="d", build="a")


def trained(written, model):
    """Train a model of the store's study."""
    plan = plan_training(written.snapshot, written.study, model)
    fit_and_save_model(written.store, written.study, plan, "2026-01-01")


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        ("nothing", "it builds a NoneType, which is no classifier of scikit-learn's kind"),
        ("raises", "its builder fails: ZeroDivisionError: division by zero"),
        ("lost", "planted:lost cannot be loaded: AttributeError"),
        ("bad", "'bad' cannot be fitted to 60 training patients, .*: KeyError: .*a key"),
        ("bad_range", "'bad_range' gives no probabilities: what it gives are not the probabilities"),
        ("bad_predict", "'bad_predict' gives no probabilities: .*a type"),
        ("bad_classes", "'bad_classes' gives no probabilities: what it gives are not the probabilities"),
    ],
)
def test_a_model_whose_package_fails_is_unfit_and_the_others_go_on(cohort_of_90, planted, member, reason):
    """Whatever its code raises or answers ends in one sentence of an unfit model, never in a traceback."""
    cohort_of_90.edit("[models.radiomics_lr]\n", f"[models.{member}]\n")
    cohort_of_90.put_study()
    with on_the_path(planted(f"{member} = planted:{member.upper()}")), pytest.raises(UnfitError, match=reason):
        trained(cohort_of_90, member)


def test_a_type_that_the_package_does_not_list_is_not_saved_and_not_loaded(cohort_of_90, planted, tmp_path):
    """Its own classes are loaded by the list in its description, and by no record of a folder."""
    table = pl.DataFrame({"a": [0.0, 1.0, 2.0, 3.0]})
    package = {"name": "planted", "version": "2.0", "member": "own"}
    with on_the_path(planted("own = planted:OWN\nsecret = planted:SECRET")):
        own, secret = (model_spec(name).build(ModelSettings()).fit(table, [0, 1, 0, 1]) for name in ("own", "secret"))
        save_model(tmp_path / "own", own, {"package": package})
        assert np.array_equal(load_model(tmp_path / "own").estimator.predict_proba(table), own.predict_proba(table))
        with pytest.raises(ContractError, match=r"not on the allow-list: planted\.Secret"):
            save_model(tmp_path / "secret", secret, {"package": package | {"member": "secret"}})
        with pytest.raises(ContractError, match=r"not on the allow-list: planted\.Own"):
            save_model(tmp_path / "unnamed", own, {})
    refusal = r"needs the package planted 2\.0, which adds 'own' and is not installed"
    with pytest.raises(ContractError, match=refusal) as caught:
        load_model(tmp_path / "own")
    assert caught.value.hint == "pip install planted==2.0, if you trust it"


@pytest.mark.parametrize("name", ["planted; rm -rf", "--index-url=http://x", "", "a\x1b[2J", 7])
def test_a_record_cannot_put_words_into_the_command_that_installs_a_package(tmp_path, name):
    """What is no package's name is refused before it is shown."""
    with pytest.raises(ContractError, match="names a package in a way that no package is named"):
        save_model(tmp_path / "m", None, {"package": {"name": name, "version": "1", "member": "own"}})


STUDY = """[study]
id = "s"
title = "t"
[cohort]
table = "patients.csv"
[clinical.variables]
age = { unit = "a" }
[models.own]
factors = [{ variable = "age" }]
missing = "impute"
"""


def test_a_setting_that_the_package_does_not_read_is_refused_at_ingest(planted):
    """What its description lists reaches its builder; the rest would be without effect."""

    def faults(text=STUDY):
        found = name_faults(parsed_study(text, "study.toml"), text, Path("study.toml"))
        return [(each.message, str(each.where)) for each in found]

    assert faults()[0][0] == "the zoo has no model 'own'"
    folder = planted("own = planted:OWN")
    with on_the_path(folder):
        assert faults() == [("model 'own' does not read 'missing': its package planted says so", "study.toml:10")]
        assert faults(STUDY.replace('missing = "impute"\n', "")) == []
        variant = STUDY.replace("[models.own]", '[models.older]\nbase = "own"').replace('missing = "impute"\n', "")
        assert faults(variant) == []
    (folder / "planted.py").write_text(MODULE.replace('model("own"),', 'model("own", options=("missing",)),', 1))
    with on_the_path(folder):
        assert faults() == []
    (folder / "planted.py").write_text("import nosuchlibrary")
    with on_the_path(folder):
        ((message, where),) = faults()
        assert message.startswith("the model 'own' is of the package planted 2.0, and planted:OWN cannot be loaded")
        assert where == "study.toml:8"


def test_the_list_says_which_package_adds_a_model(planted, capsys):
    """As text and as data."""
    with on_the_path(planted("own = planted:OWN")):
        assert exit_code(["--json", "models", "zoo"]) == 0
        rows = {row["model"]: row["package"] for row in json.loads(capsys.readouterr().out)}
        assert (rows["own"], rows["cr"]) == ("planted", None)

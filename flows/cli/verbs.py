"""The verbs of the command line: where each one's function is, what it does, and an example of it."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["DATASETS_VERBS", "FEATURES_VERBS", "GROUPS", "MODELS_VERBS", "STORE_VERBS", "VERBS", "Verb"]


class Verb(NamedTuple):
    """A verb: where its function is, what it does, and an example of it."""

    target: str
    summary: str
    example: str

    @property
    def help(self) -> str:
        """Return the help text; the list of verbs shows its first line."""
        return f"{self.summary}\n\nExample: {self.example}"


VERBS = {
    "demo": Verb(
        "flows.cli.demo:demo",
        "Run the example study from end to end: phantoms, features, models, report.",
        "radzoo demo --patients 48",
    ),
    "init": Verb("flows.cli.study:init", "Write a study file to start from.", "radzoo init my-study"),
    "ingest": Verb(
        "flows.cli.study:ingest",
        "Read a study file, its tables, images and masks into the store, in one commit.",
        "radzoo ingest my-study/study.toml --dry-run",
    ),
    "refresh": Verb(
        "flows.cli.study:refresh",
        "Compute the features that a study lacks; what is in the store is never computed again.",
        "radzoo refresh --study my-study --workers 2",
    ),
    "sql": Verb(
        "flows.cli.sql:sql",
        "Ask the store one read-only SQL question, in DuckDB's dialect.",
        'radzoo sql "select phase, count(*) from hcc_cemri group by phase" --format csv',
    ),
    "train": Verb(
        "flows.cli.zoo:train",
        "Train models of the zoo on a study's training patients.",
        "radzoo train cr radiomics_lr --study my-study",
    ),
    "embed": Verb(
        "flows.cli.embed:embed",
        "Put a network's embeddings into the store: out of fold, so that models may learn from them.",
        "radzoo embed dl_resnet10 --study my-study",
    ),
    "bench": Verb(
        "flows.cli.zoo:bench",
        "Judge a study's models alike, training what is missing.",
        "radzoo bench --study my-study --suite nested-cv",
    ),
    "predict": Verb(
        "flows.cli.models.verbs:predict",
        "Apply a saved model to patients of a study.",
        "radzoo predict cr@1 --study other-study --out predictions.csv",
    ),
    "report": Verb(
        "flows.cli.zoo:report",
        "Write a study's report, one HTML page.",
        "radzoo report --study my-study --open",
    ),
    "serve": Verb(
        "flows.cli.serve:serve",
        "Register a study's schedules with Prefect and run them.",
        'radzoo serve my-study/study.toml --refresh "0 3 * * *"',
    ),
    "doctor": Verb(
        "flows.cli.doctor:doctor",
        "Say what this machine has and lacks for each verb; exit code 5 where something is missing or broken.",
        "radzoo doctor",
    ),
}
FEATURES_VERBS = {
    "list": Verb(
        "flows.cli.features:list",
        "List the feature sets: version, kind, features, extractions, the studies that use them.",
        "radzoo features list",
    ),
    "search": Verb(
        "flows.cli.features:search",
        "Search the dictionary of features by name, family, IBSI code, unit or definition.",
        "radzoo features search entropy",
    ),
    "describe": Verb(
        "flows.cli.features:describe",
        "Describe a feature set, or one of its columns.",
        "radzoo features describe hcc-cemri@1 wavelet-LLH_glcm_Idm",
    ),
    "diff": Verb(
        "flows.cli.features:diff",
        "Show what two feature sets do differently, and how far their values lie apart.",
        "radzoo features diff hcc-cemri@1 hcc-cemri@2",
    ),
    "coverage": Verb(
        "flows.cli.features:coverage",
        "Count, per study, feature set and phase, the masks with a row, those without, and why.",
        "radzoo features coverage --study my-study",
    ),
    "stability": Verb(
        "flows.cli.features:stability",
        "Count the features on which repeated readings of training patients agree: ICC(A,1).",
        "radzoo features stability hcc-cemri --minimum 0.9",
    ),
}
MODELS_VERBS = {
    "zoo": Verb(
        "flows.cli.models.members:zoo",
        "List the models that a study can name: what each one is, reads and needs.",
        "radzoo models zoo",
    ),
    "list": Verb("flows.cli.models.verbs:list", "List the trained models, every version.", "radzoo models list"),
    "show": Verb(
        "flows.cli.models.verbs:show",
        "Show a model: what it learned, its parameters, its figures.",
        "radzoo models show radiomics_lr@2",
    ),
    "card": Verb(
        "flows.cli.models.verbs:card",
        "Print a model's card, Markdown: what it is, was trained on, and may be used for.",
        "radzoo models card cr",
    ),
    "export": Verb(
        "flows.cli.models.verbs:export",
        "Copy a model out of the store, with a manifest that tells whether it was changed since.",
        "radzoo models export cr@1 cr-model",
    ),
    "explain": Verb(
        "flows.cli.models.explain:explain",
        "Show how much each feature counts in a model, or what it contributed for one patient.",
        "radzoo models explain radiomics_xgb --patient P001",
    ),
}
DATASETS_VERBS = {
    "list": Verb(
        "flows.cli.models.datasets:list",
        "List the pinned datasets: what they hold, the commit they were read at, who trained on them.",
        "radzoo datasets list",
    ),
    "show": Verb(
        "flows.cli.models.datasets:show",
        "Show a pinned dataset: its inputs, its file, and the SQL that gives it as of its commit.",
        "radzoo datasets show 3f9a1c",
    ),
    "rebuild": Verb(
        "flows.cli.models.datasets:rebuild",
        "Make pinned datasets again from the store as of their commits and compare them, bit for bit.",
        "radzoo datasets rebuild --all",
    ),
}
STORE_VERBS = {
    "backup": Verb(
        "flows.cli.store.backup:backup",
        "Copy the store into a folder, or bring the copy there up to date, and check it.",
        "radzoo store backup /backup/radzoo-store",
    ),
    "catalogue": Verb(
        "flows.cli.store.verbs:catalogue",
        "Write the catalogue: one HTML page of features, coverage and the lineage of models.",
        "radzoo store catalogue --out public",
    ),
    "export": Verb(
        "flows.cli.store.keeping:export",
        "Write a study, or all of the store, as plain files that need no radzoo.",
        "radzoo store export plain-files --study my-study --format csv",
    ),
    "init": Verb(
        "flows.cli.store.keeping:init",
        "Make a store at --store, or open one that several machines share.",
        "radzoo store init --catalogue postgresql://radzoo@db/radzoo --data s3://bucket/radzoo",
    ),
    "compact": Verb(
        "flows.cli.store.verbs:compact",
        "Merge small files into few large ones and remove files that nothing names any more.",
        "radzoo store compact --grace-hours 48",
    ),
    "erase": Verb(
        "flows.cli.store.erase:erase",
        "Remove a patient from every snapshot and file of the store, and give a receipt.",
        "radzoo store erase P001 --dry-run",
    ),
    "log": Verb("flows.cli.store.verbs:log", "List the commits, newest first.", "radzoo store log --limit 5"),
    "publish": Verb(
        "flows.cli.store.verbs:publish",
        "Write analyst.duckdb, a documented file that any DuckDB client opens.",
        "radzoo store publish && duckdb radzoo-store/analyst.duckdb",
    ),
    "verify": Verb(
        "flows.cli.store.verification:verify",
        "Check every promise of the store that can be checked; exit code 4 where one is broken.",
        "radzoo store verify --quick",
    ),
}
GROUPS = {"features": FEATURES_VERBS, "datasets": DATASETS_VERBS, "models": MODELS_VERBS, "store": STORE_VERBS}
"""Verbs of two words, by their first."""

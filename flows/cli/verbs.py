"""The verbs of the command line: where each one's function is, and what it does in one sentence.

They can be listed without loading one. A verb's whole help is its function's docstring, whose first line is the
summary here.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "ALL_VERBS",
    "COMPLETION_VERBS",
    "DATASETS_VERBS",
    "FEATURES_VERBS",
    "GROUPS",
    "GROUP_SUMMARIES",
    "MODELS_VERBS",
    "PANELS",
    "STORE_VERBS",
    "VERBS",
    "Verb",
]


class Verb(NamedTuple):
    """A verb: where its function is, and what it does."""

    target: str
    summary: str


VERBS = {
    "init": Verb(
        "flows.cli.study:init",
        "Write a commented study file, FOLDER/study.toml, to start from, or draft it from a folder of images.",
    ),
    "collect": Verb(
        "flows.cli.collect.verb:collect",
        "Take what others left in a study's drop folder, once it is complete; ingest reads it then.",
    ),
    "ingest": Verb(
        "flows.cli.study:ingest", "Read a study file, its tables, images and masks into the store, in one commit."
    ),
    "expect": Verb(
        "flows.cli.expect.verb:expect",
        "Say which expectations of a study hold, as its last ingest or refresh found them.",
    ),
    "look": Verb(
        "flows.cli.refresh:look",
        "Show a study's images and masks: slices to scroll through, contact sheets, what to look at twice.",
    ),
    "refresh": Verb(
        "flows.cli.refresh:refresh",
        "Compute the features that a study lacks; what is in the store is never computed again.",
    ),
    "train": Verb("flows.cli.zoo:train", "Train models of the zoo on a study's training patients."),
    "embed": Verb(
        "flows.cli.embed:embed",
        "Put a network's embeddings into the store: out of fold, so that models may learn from them.",
    ),
    "bench": Verb("flows.cli.zoo:bench", "Judge a study's models alike, training what is missing."),
    "report": Verb("flows.cli.zoo:report", "Write a study's report, one HTML page that needs nothing beside it."),
    "predict": Verb("flows.cli.models.verbs:predict", "Apply a saved model to patients of a study."),
    "dicom": Verb(
        "flows.cli.dicom.verb:dicom",
        "Write a study's masks and features as DICOM: a segmentation and structured reports of each mask.",
    ),
    "serve": Verb(
        "flows.cli.serve:serve", "Register a study's schedules with Prefect and run them until stopped (Ctrl-C)."
    ),
    "monitor": Verb(
        "flows.cli.monitor.verb:monitor",
        "Say what drifts (features, predictions, outcomes) between cohorts, scanners, sites, months, commits, studies.",
    ),
    "sql": Verb("flows.cli.sql:sql", "Ask the store one read-only SQL question, in DuckDB's dialect."),
    "demo": Verb("flows.cli.demo:demo", "Run the example study from end to end: phantoms, features, models, report."),
    "doctor": Verb(
        "flows.cli.doctor:doctor",
        "Say what this machine has and lacks for each verb; exit code 5 where something is missing or broken.",
    ),
}
FEATURES_VERBS = {
    "list": Verb(
        "flows.cli.features:list",
        "List the feature sets: version, kind, features, extractions, the studies that use them.",
    ),
    "search": Verb(
        "flows.cli.features:search",
        "Search the dictionary of features by name, family, IBSI code, unit or definition.",
    ),
    "describe": Verb("flows.cli.features:describe", "Describe a feature set, or one of its columns."),
    "diff": Verb(
        "flows.cli.features:diff", "Show what two feature sets do differently, and how far their values lie apart."
    ),
    "coverage": Verb(
        "flows.cli.features:coverage",
        "Count, per study, feature set and phase, the masks with a row, those without, and why.",
    ),
    "stability": Verb(
        "flows.cli.features:stability",
        "Count the features on which repeated readings of training patients agree: ICC(A,1).",
    ),
    "landmarks": Verb(
        "flows.cli.features:landmarks",
        "Learn a feature set's standard scales of intensities from the images of training patients (Nyul and Udupa).",
    ),
}
DATASETS_VERBS = {
    "list": Verb(
        "flows.cli.models.datasets:list",
        "List the pinned datasets: what they hold, the commit they were read at, who trained on them.",
    ),
    "show": Verb(
        "flows.cli.models.datasets:show",
        "Show a pinned dataset: its inputs, its file, and the SQL that gives it as of its commit.",
    ),
    "rebuild": Verb(
        "flows.cli.models.datasets:rebuild",
        "Make pinned datasets again from the store as of their commits and compare them, bit for bit.",
    ),
}
MODELS_VERBS = {
    "zoo": Verb(
        "flows.cli.models.members:zoo", "List the models that a study can name: what each one is, reads and needs."
    ),
    "list": Verb("flows.cli.models.verbs:list", "List the trained models, every version."),
    "show": Verb("flows.cli.models.verbs:show", "Show a model: what it learned, its parameters, its figures."),
    "card": Verb(
        "flows.cli.models.verbs:card",
        "Print a model's card, Markdown: what it is, was trained on, and may be used for.",
    ),
    "explain": Verb(
        "flows.cli.models.explain:explain",
        "Show how much each feature counts in a model, or what it contributed for one patient.",
    ),
    "export": Verb(
        "flows.cli.models.verbs:export",
        "Copy a model out of the store, with a manifest that tells whether it was changed since.",
    ),
}
STORE_VERBS = {
    "init": Verb("flows.cli.store.keeping:init", "Make a store at --store, or open one that several machines share."),
    "log": Verb("flows.cli.store.verbs:log", "List the commits, newest first."),
    "tag": Verb(
        "flows.cli.store.naming:tag",
        "Name a commit, such as the one a paper was written from; without a name, list the tags.",
    ),
    "describe": Verb(
        "flows.cli.store.naming:describe",
        "Say who owns a study or a feature set, what it is tagged with and about; with the name alone, show it.",
    ),
    "publish": Verb(
        "flows.cli.store.verbs:publish", "Write analyst.duckdb, a documented file that any DuckDB client opens."
    ),
    "overview": Verb(
        "flows.cli.store.verbs:overview",
        "Write an overview of the store: one HTML page of features, coverage and the lineage of models.",
    ),
    "export": Verb(
        "flows.cli.store.keeping:export", "Write a study, or all of the store, as plain files that need no radzoo."
    ),
    "verify": Verb(
        "flows.cli.store.verification:verify",
        "Check every promise of the store that can be checked; exit code 4 where one is broken.",
    ),
    "backup": Verb(
        "flows.cli.store.backup:backup",
        "Copy the store into a folder, or bring the copy there up to date, and check it.",
    ),
    "compact": Verb(
        "flows.cli.store.verbs:compact",
        "Merge small files into few large ones and remove files that nothing names any more.",
    ),
    "erase": Verb(
        "flows.cli.store.erase:erase",
        "Remove a patient from every snapshot and file of the store; this cannot be undone.",
    ),
}
GROUPS = {"features": FEATURES_VERBS, "datasets": DATASETS_VERBS, "models": MODELS_VERBS, "store": STORE_VERBS}
"""Verbs of two words, by their first."""
GROUP_SUMMARIES = {
    "features": "Look at features and feature sets",
    "datasets": "Look at pinned datasets",
    "models": "Look at models, those of the zoo and trained ones",
    "store": "Make a store, look into it, keep it in order, take a patient out of it",
}
"""What the verbs of a group do; the help puts their names behind it."""
COMPLETION_VERBS = {
    "--install-completion": Verb(
        "flows.cli.completion:install_completion", "Have bash, zsh or fish complete verbs and options."
    ),
    "--show-completion": Verb(
        "flows.cli.completion:show_completion", "Print the script that a shell completes by, to install it yourself."
    ),
}
"""What is called like an option and does something of its own."""
ALL_VERBS = VERBS | {f"{group} {name}": verb for group, own in GROUPS.items() for name, verb in own.items()}
PANELS = {
    "Work on a study, in this order": (
        "init",
        "collect",
        "ingest",
        "expect",
        "look",
        "refresh",
        "train",
        "embed",
        "bench",
        "report",
        "predict",
        "monitor",
        "dicom",
        "serve",
    ),
    "Ask": ("sql", "features", "datasets", "models"),
    "Look after the store": ("store",),
    "Try radzoo, and check this machine": ("demo", "doctor"),
}
"""The panels of ``radzoo --help`` and what stands in each, in the order of the work."""

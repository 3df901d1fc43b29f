"""Which model a training begins with."""

from pathlib import Path

from builders.written_store import WrittenStore

from flows.train.work import training_work


def test_deeper_networks_and_more_epochs_take_longer_than_tables(tmp_path: Path) -> None:
    """The longest first: ResNet-34 before ResNet-18 before ResNet-10, few epochs behind many, tables last."""
    written = WrittenStore(tmp_path / "store")
    written.text += '\n[models.short]\nbase = "dl_resnet34"\nnetwork = { epochs = 2 }\n'
    order = ["dl_resnet34", "dl_resnet18", "dl_resnet10", "short", "cr"]
    work = [training_work(written.study, model) for model in order]
    assert work == sorted(set(work), reverse=True)

"""The list of models: true to what is built and measured, and cheap to print."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import msgspec
import pytest
from click.testing import Result

from edge_mnist.edge.bundle.card import ModelCardError
from edge_mnist.edge.bundle.catalogue import CATALOGUE, Claim, Entry
from edge_mnist.edge.bundle.contract import ArchitectureRecord, count_keras_macs
from edge_mnist.edge.bundle.folder import open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED, find_shipped
from edge_mnist.edge.bundle.writing import write_card
from edge_mnist.edge.commands.models import list_models
from edge_mnist.train.zoo import ZOO
from tests.conftest import edge_mnist, python_process

NANO = SHIPPED.with_name("nano")


def _run(*arguments: object) -> Result:
    return edge_mnist("models", *arguments)


def test_the_catalogue_lists_the_zoo_in_its_order() -> None:
    assert list(CATALOGUE) == list(ZOO)
    assert [entry.name for entry in CATALOGUE.values()] == list(ZOO)


@pytest.mark.parametrize("name", list(CATALOGUE))
def test_sizes_are_those_of_the_network_that_is_built(name: str) -> None:
    network = ZOO[name]()

    assert (CATALOGUE[name].parameters, CATALOGUE[name].macs) == (
        network.count_params(),
        count_keras_macs(network.layers),
    )


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=CATALOGUE)
def test_every_entry_says_in_one_line_what_it_is_and_who_claims_what(entry: Entry) -> None:
    assert entry.summary
    assert "\n" not in entry.summary + entry.remark
    assert all(0.5 < claim.accuracy < 1 for claim in entry.claims)
    assert bool(entry.claims) == bool(entry.remark)


def test_a_claim_on_test_is_compared_with_before_one_on_validation() -> None:
    assert CATALOGUE["compact-8-16"].reference == Claim("test", 0.9815)
    assert CATALOGUE["dropout-cnn"].reference == Claim("validation", 0.9973)
    assert CATALOGUE["standard"].reference is None


def test_the_shipped_model_is_listed_with_what_its_card_says() -> None:
    card = open_bundle(SHIPPED).card
    assert card.export is not None
    file = min((one for one in card.export.files if one.precision == "int8"), key=lambda one: one.record.size_bytes)

    (standard,) = (one for one in json.loads(_run("--json").stdout) if one["name"] == "standard")

    assert standard["measured"] == {
        "bundle": "standard",
        "file": file.record.name,
        "size_bytes": file.record.size_bytes,
        "correct": file.verification.correct,
        "count": card.export.evaluations[0].images.count,
        "images": card.export.evaluations[0].images.name,
    }


def test_a_named_bundle_is_called_by_its_folder_and_takes_no_other_row(tmp_path: Path) -> None:
    bundle = shutil.copytree(NANO, tmp_path / "my-bundle")

    first, *zoo = json.loads(_run(bundle, "--json").stdout)
    printed = _run(bundle).stdout.splitlines()

    assert (first["name"], first["network"], first["measured"]["bundle"]) == ("my-bundle", "nano", "my-bundle")
    assert zoo == json.loads(_run("--json").stdout)
    assert [line.split()[0] for line in printed[2:5]] == ["my-bundle", "standard", "nano"]
    assert "my-bundle: a bundle of the network nano" in printed


def test_a_bundle_of_a_network_that_is_not_in_the_zoo_is_listed(tmp_path: Path) -> None:
    bundle = shutil.copytree(NANO, tmp_path / "mine")
    card = open_bundle(bundle).card
    other = msgspec.structs.replace(card, architecture=ArchitectureRecord(name="my-network", parameters=12, macs=34))
    write_card(bundle, other)

    first = json.loads(_run(bundle, "--json").stdout)[0]

    assert (first["name"], first["network"], first["parameters"], first["macs"]) == ("mine", "my-network", 12, 34)


def test_the_current_folder_is_called_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shutil.copytree(NANO, tmp_path / "here"))

    assert json.loads(_run(".", "--json").stdout)[0]["name"] == "here"


def test_naming_a_shipped_bundle_changes_nothing() -> None:
    assert _run("nano", "--json").stdout == _run("--json").stdout


def test_what_nobody_measured_has_no_figures() -> None:
    measured = {one.name for one in list_models([]) if one.measured}
    assert measured == {path.name for path in find_shipped()}

    line = next(line for line in _run().stdout.splitlines() if line.startswith("dropout-cnn "))

    assert re.split(r"\s{2,}", line) == ["dropout-cnn", "353,386", "18,546,048", "99.49 % train, 99.73 % validation"]


def test_every_shipped_bundle_is_found() -> None:
    assert SHIPPED in find_shipped()
    assert all((bundle / "card.json").is_file() for bundle in find_shipped())


def test_a_bundle_without_exported_files_is_refused(trained: Path) -> None:
    with pytest.raises(ModelCardError, match="Run: edge-mnist export"):
        list_models([trained])


def test_listing_needs_no_training_framework_and_changes_nothing() -> None:
    before = hashlib.sha256((SHIPPED / "card.json").read_bytes()).hexdigest()
    code = (
        "import sys\n"
        "from edge_mnist.edge.commands.models import models\n"
        "try: models([])\n"
        "except SystemExit: pass\n"
        "print('LOADED', *sorted(sys.modules))"
    )

    process = python_process(code)

    printed, _, loaded = process.stdout.partition("LOADED ")
    assert "batchnorm-905k" in printed, process.stderr
    assert not {"tensorflow", "keras", "onnx", "onnxruntime", "ai_edge_litert", "cv2"} & set(loaded.split())
    assert hashlib.sha256((SHIPPED / "card.json").read_bytes()).hexdigest() == before

"""The list of models: true to what is built and measured, and cheap to print."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_mnist.edge.bundle import SHIPPED, open_bundle
from edge_mnist.edge.card import ModelCardError, count_macs
from edge_mnist.edge.catalogue import CATALOGUE, Claim, Entry
from edge_mnist.edge.list_models import find_shipped, list_models, models
from edge_mnist.train.zoo import ZOO

from .conftest import python_process


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(models, [str(argument) for argument in arguments], catch_exceptions=False)


def test_the_catalogue_lists_the_zoo_in_its_order() -> None:
    assert list(CATALOGUE) == list(ZOO)
    assert [entry.name for entry in CATALOGUE.values()] == list(ZOO)


@pytest.mark.parametrize("name", list(CATALOGUE))
def test_sizes_are_those_of_the_network_that_is_built(name: str) -> None:
    network = ZOO[name].build()

    assert (CATALOGUE[name].parameters, CATALOGUE[name].macs) == (network.count_params(), count_macs(network.layers))


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


def test_what_nobody_measured_has_no_figures() -> None:
    assert all(one.measured is None for one in list_models([]))

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
        "from edge_mnist.edge.list_models import models\n"
        "try: models([])\n"
        "except SystemExit: pass\n"
        "print('LOADED', *sorted(sys.modules))"
    )

    process = python_process(code)

    printed, _, loaded = process.stdout.partition("LOADED ")
    assert "batchnorm-905k" in printed, process.stderr
    assert not {"tensorflow", "keras", "onnx", "onnxruntime", "ai_edge_litert", "cv2"} & set(loaded.split())
    assert hashlib.sha256((SHIPPED / "card.json").read_bytes()).hexdigest() == before

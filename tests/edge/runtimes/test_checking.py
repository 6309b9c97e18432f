"""`verify` returns what the command prints."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from edge_mnist.edge.bundle.card import ModelCardError
from edge_mnist.edge.bundle.folder import open_bundle
from edge_mnist.edge.runtimes.checking import NOT_RUN, PASSED, verify
from edge_mnist.edge.runtimes.registry import RUNTIMES
from tests.conftest import edge_mnist


def test_verify_returns_what_the_command_prints() -> None:
    checks = verify("nano")

    printed = json.loads(edge_mnist("verify", "nano", "--json").output)

    assert [asdict(check) for check in checks] == printed
    assert {check.file for check in checks} == {file.record.name for file in open_bundle("nano").files}
    for check in checks:
        assert check.outcome == (PASSED if RUNTIMES[check.runtime].installed else NOT_RUN)


def test_verify_takes_an_open_bundle_and_refuses_a_folder_that_is_none(tmp_path: Path) -> None:
    assert verify(open_bundle("nano")) == verify("nano")
    with pytest.raises(ModelCardError, match="not a bundle"):
        verify(tmp_path)

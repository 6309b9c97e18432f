"""Measuring on another machine: over a real SSH server, side by side, from a wheel."""

import sys
import zipfile
from pathlib import Path

import msgspec
import pytest

from edge_mnist.benchmarks.measuring.accuracy import choose_evaluation
from edge_mnist.benchmarks.remote.machines import RemoteOptions, measure_remotely
from edge_mnist.benchmarks.remote.ssh import parse_host
from edge_mnist.benchmarks.results.schema import Results
from edge_mnist.edge.bundle.folder import Bundle
from edge_mnist.edge.data.held_out import HeldOut
from tests.stand_ins.remote_machine import QUICK, StandIn, answer, bundle, held_out, options_for, server, stand_in
from tests.stand_ins.ssh_server import SYSTEM_PATH, SshServer, know_host, serving_ssh

__all__ = ["answer", "bundle", "held_out", "server", "stand_in"]


@pytest.mark.parametrize(
    ("text", "user", "address", "port"),
    [
        ("pi@raspberrypi.local", "pi", "raspberrypi.local", None),
        ("pi", None, "pi", None),
        ("pi@192.168.1.7:2222", "pi", "192.168.1.7", 2222),
        ("pi@[fe80::1%eth0]:22", "pi", "fe80::1%eth0", 22),
    ],
)
def test_a_host_is_a_user_an_address_and_a_port(text: str, user: str | None, address: str, port: int | None) -> None:
    host = parse_host(text)

    assert (host.name, host.user, host.address, host.port) == (text, user, address, port)


def test_a_machine_measures_with_what_it_was_sent(server: SshServer, bundle: Bundle, held_out: HeldOut) -> None:
    """The one with the real program: all else are stand-ins for it."""
    options = RemoteOptions(server.options, python=sys.executable, limit_s=300)

    done = measure_remotely([server.host], bundle, held_out, QUICK, options)

    assert done.unreachable == {}
    (machine,) = done.machines
    assert (machine.name, machine.host.python) == (server.host, ".".join(map(str, sys.version_info[:3])))
    assert {row.file for row in done.rows} >= {file.record.name for file in bundle.files}
    assert {row.machine for row in done.rows} == {1}
    measured = [row for row in done.rows if not row.unavailable]
    assert {row.runtime for row in measured} >= {"litert"}
    count = len(choose_evaluation(bundle, held_out)[0])
    for row in measured:
        assert row.latency is not None
        assert len(row.latency.rounds) == QUICK.rounds
        assert row.accuracy is not None
        assert row.accuracy.count == count


def test_machines_answer_side_by_side_and_one_that_fails_costs_the_others_nothing(
    server: SshServer, stand_in: StandIn, bundle: Bundle, held_out: HeldOut, answer: Results
) -> None:
    stand_in.answer(msgspec.json.encode(answer))
    said: list[str] = []
    hosts = ["127.0.0.1:1", server.host, server.host.replace("127.0.0.1", "localhost")]
    know_host(server.folder / "known hosts", server.port, server.folder / "host.pub", "localhost")
    options = RemoteOptions(server.options, python=str(stand_in.python))

    done = measure_remotely(hosts, bundle, held_out, QUICK, options, say=said.append)

    assert [machine.name for machine in done.machines] == hosts[1:]
    assert [row.machine for row in done.rows] == [1] * len(answer.rows) + [2] * len(answer.rows)
    assert list(done.unreachable) == hosts[:1]
    assert sorted(said) == sorted(f"{host}: measures" for host in hosts[1:])


def test_what_login_scripts_print_is_no_result(
    tmp_path: Path, stand_in: StandIn, bundle: Bundle, held_out: HeldOut, answer: Results
) -> None:
    stand_in.answer(msgspec.json.encode(answer))
    with serving_ssh(tmp_path, greeting="echo Welcome; printf no-newline; echo oh >&2; ") as server:
        done = measure_remotely([server.host], bundle, held_out, QUICK, options_for(server, stand_in))

    assert done.unreachable == {}
    assert len(done.machines) == 1


def test_the_wheel_is_installed_into_an_environment_that_goes_away(
    tmp_path: Path, stand_in: StandIn, bundle: Bundle, held_out: HeldOut, answer: Results
) -> None:
    stand_in.answer(msgspec.json.encode(answer))
    wheel = _pack_wheel(stand_in, tmp_path)
    # The one that made this test's environment: like a system's own, it can make others.
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(Path(sys.base_prefix) / "bin" / "python3")
    said: list[str] = []
    with serving_ssh(tmp_path, path=f"{tmp_path / 'bin'}:{SYSTEM_PATH}") as server:
        options = RemoteOptions(server.options, wheel=wheel)
        done = measure_remotely([server.host], bundle, held_out, QUICK, options, say=said.append)
        left = list(server.temporary.iterdir())

    assert done.unreachable == {}
    assert len(done.rows) == len(answer.rows)
    assert [line.removeprefix(f"{server.host}: ") for line in said] == [
        "creates an environment and installs edge-mnist",
        "measures",
    ]
    assert left == []


def _pack_wheel(stand_in: StandIn, folder: Path) -> Path:
    """The stand-in as a wheel that needs no other packages, so no network."""
    wheel = folder / "edge_mnist-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path in sorted(Path(stand_in.folder, "edge_mnist").rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                archive.write(path, path.relative_to(stand_in.folder))
        about = "edge_mnist-0.1.0.dist-info"
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: edge-mnist\nVersion: 0.1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return wheel

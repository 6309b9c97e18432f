"""Measuring on another machine when something goes wrong: one sentence says what, and nothing is left there."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from edge_mnist.benchmarks.errors import BenchmarkError
from edge_mnist.benchmarks.remote import session as remote_session
from edge_mnist.benchmarks.remote.machines import MODULE, RemoteOptions, RemoteResults, choose_limit_s, measure_remotely
from edge_mnist.benchmarks.remote.session import Parcel, Session
from edge_mnist.benchmarks.remote.ssh import SshOptions, parse_host
from edge_mnist.edge.bundle.folder import Bundle
from edge_mnist.edge.data.held_out import HeldOut
from tests.stand_ins.remote_machine import (
    QUICK,
    StandIn,
    bundle,
    held_out,
    in_thread,
    options_for,
    server,
    stand_in,
    wait_until,
)
from tests.stand_ins.ssh_server import SshServer, know_host, serving_ssh

__all__ = ["bundle", "held_out", "server", "stand_in"]


@pytest.mark.parametrize("text", ["", "pi@", "-oProxyCommand=touch x", "pi@-oX", "a b", "pi;ls", "pi:0", "pi:65536"])
def test_what_is_no_host_never_reaches_ssh(text: str, bundle: Bundle, held_out: HeldOut) -> None:
    with pytest.raises(BenchmarkError, match="expected user@host"):
        measure_remotely([text], bundle, held_out, QUICK)


def _wrong_key(server: SshServer, stand_in: StandIn) -> RemoteOptions:
    return options_for(server, stand_in, key=server.folder / "other")


def _no_key(server: SshServer, stand_in: StandIn) -> RemoteOptions:
    return options_for(server, stand_in, key=server.folder / "nobody's")


def _open_key(server: SshServer, stand_in: StandIn) -> RemoteOptions:
    (server.folder / "user").chmod(0o644)
    return options_for(server, stand_in)


def _unknown_host(server: SshServer, stand_in: StandIn) -> RemoteOptions:
    (server.folder / "known hosts").write_text("")
    return options_for(server, stand_in)


def _other_host_key(server: SshServer, stand_in: StandIn) -> RemoteOptions:
    know_host(server.folder / "known hosts", server.port, server.folder / "other.pub")
    return options_for(server, stand_in)


def _no_such_python(server: SshServer, stand_in: StandIn) -> RemoteOptions:
    return replace(options_for(server, stand_in), python="~/nowhere/bin/python")


def _odd_python(server: SshServer, stand_in: StandIn) -> RemoteOptions:
    return replace(options_for(server, stand_in), python="$(touch oops)")


def _old_python(server: SshServer, stand_in: StandIn) -> RemoteOptions:
    stand_in.python.write_text('#!/bin/sh\n[ "$1" = -V ] && echo Python 3.9.2\nexit 1\n')
    return options_for(server, stand_in)


def _bare_python(server: SshServer, stand_in: StandIn) -> RemoteOptions:
    shutil.rmtree(stand_in.package.parent)
    stand_in.python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    return options_for(server, stand_in)


def _killed(server: SshServer, stand_in: StandIn) -> RemoteOptions:
    stand_in.behave("die")
    return options_for(server, stand_in)


def _complaining(server: SshServer, stand_in: StandIn) -> RemoteOptions:
    stand_in.behave("complain", "the bundle is \x1b[31mred")
    return options_for(server, stand_in)


def _empty_handed(server: SshServer, stand_in: StandIn) -> RemoteOptions:
    stand_in.behave("nothing")
    return options_for(server, stand_in)


def _slow(server: SshServer, stand_in: StandIn) -> RemoteOptions:
    stand_in.behave("hang")
    return replace(options_for(server, stand_in), limit_s=4)


@pytest.mark.parametrize(
    ("arrange", "sentence"),
    [
        (_wrong_key, "refuses the key. Install the public key there"),
        (_no_key, "nobody's: no such file."),
        (_open_key, "the private key cannot be used"),
        (_unknown_host, "its host key is not known. Connect once with ssh"),
        (_other_host_key, "shows a different host key than the known one"),
        (_no_such_python, "has no Python on its search path"),
        (_odd_python, "expected the path of an interpreter"),
        (_old_python, "has Python 3.9.2, but edge-mnist needs 3.11 or newer"),
        (_bare_python, "has no edge-mnist. Install it"),
        (_killed, "the measurement was ended by signal 9, probably because memory ran out"),
        (_complaining, "the measurement failed: the bundle is  [31mred"),
        (_empty_handed, "the measurement ended without results"),
        (_slow, "took longer than 4 s"),
    ],
)
def test_a_failure_is_one_sentence(
    arrange: Callable[[SshServer, StandIn], RemoteOptions],
    sentence: str,
    server: SshServer,
    stand_in: StandIn,
    bundle: Bundle,
    held_out: HeldOut,
) -> None:
    done = measure_remotely([server.host], bundle, held_out, QUICK, arrange(server, stand_in))

    assert _only_reason(done).replace("\n", "") == _only_reason(done)
    assert sentence in _only_reason(done)


def test_a_port_that_nobody_listens_on_is_said_to_refuse() -> None:
    assert "refuses the connection: no SSH server listens on that port" in _fail_to_connect("127.0.0.1:1")


def test_a_name_that_nobody_has_is_said_to_be_unknown() -> None:
    assert "the host name cannot be resolved" in _fail_to_connect("nobody.invalid")


def test_a_machine_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        reason = _fail_to_connect(f"127.0.0.1:{silent.getsockname()[1]}")

    assert "did not answer in time" in reason


def test_no_way_to_a_machine_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-rn", "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs unshare and the right to a network of its own")
    program = tmp_path / "ssh"
    program.write_text(f'#!/bin/sh\nexec {unshare} -rn {shutil.which("ssh")} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    assert "cannot be reached from this network" in _fail_to_connect("192.0.2.1")


def test_a_machine_without_ssh_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    assert "apt install openssh-client" in _fail_to_connect("127.0.0.1:1")


def _end_the_connection(server: SshServer, _pids: list[int]) -> None:
    for pid in server.connections():
        os.kill(pid, signal.SIGKILL)


def _freeze_the_connection(server: SshServer, _pids: list[int]) -> None:
    for pid in server.connections():
        os.kill(pid, signal.SIGSTOP)


@pytest.mark.parametrize("drop", [_end_the_connection, _freeze_the_connection])
def test_a_connection_dropped_in_the_middle_ends_everything_on_both_sides(
    drop: Callable[[SshServer, list[int]], None],
    server: SshServer,
    stand_in: StandIn,
    bundle: Bundle,
    held_out: HeldOut,
) -> None:
    stand_in.behave("hang")
    with in_thread(
        lambda: measure_remotely([server.host], bundle, held_out, QUICK, options_for(server, stand_in))
    ) as run:
        pids, connections = stand_in.wait_for_pids(), server.connections()
        assert list(server.temporary.iterdir())
        drop(server, pids)
        done = run()
    for pid in connections:
        # A frozen one, whose end of the network is alive again.
        if _is_alive(pid):
            os.kill(pid, signal.SIGCONT)

    assert "the connection was lost" in _only_reason(done)
    wait_until(lambda: not any(map(_is_alive, pids)), "what measured there goes on")


def test_a_driver_that_is_killed_is_said_to_be(
    server: SshServer, stand_in: StandIn, bundle: Bundle, held_out: HeldOut
) -> None:
    stand_in.behave("hang")
    with in_thread(
        lambda: measure_remotely([server.host], bundle, held_out, QUICK, options_for(server, stand_in))
    ) as run:
        pids = stand_in.wait_for_pids()
        os.kill(_parent(pids[0]), signal.SIGKILL)
        done = run()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    # Nobody was left to tidy up.
    for leftover in server.temporary.iterdir():
        shutil.rmtree(leftover)

    assert "ended without results" in _only_reason(done)
    assert "may have been killed" in _only_reason(done)


def test_hanging_up_ends_everything_there(server: SshServer, stand_in: StandIn) -> None:
    stand_in.behave("hang")
    session = Session(parse_host(server.host), server.options, lambda _: None)
    parcel = Parcel({"file": b"content"}, MODULE, 60, python=str(stand_in.python))
    reasons: list[str] = []

    def run() -> None:
        with pytest.raises(BenchmarkError) as caught:
            session.run(parcel)
        reasons.append(str(caught.value))

    with in_thread(run) as wait:
        pids = stand_in.wait_for_pids()
        session.end("was stopped.")
        wait()

    assert reasons == ["was stopped."]
    wait_until(lambda: not any(map(_is_alive, pids)), "what measured there goes on")


@pytest.mark.parametrize("megabytes", [1, 20], ids=["while files come", "while it measures"])
def test_a_full_disk_there_is_said(
    megabytes: int, tmp_path: Path, stand_in: StandIn, bundle: Bundle, held_out: HeldOut
) -> None:
    disk, folder = tmp_path / "disk", tmp_path / "sshd"
    disk.mkdir()
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", disk]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs root, to mount a small disk")
    stand_in.behave("fill")
    try:
        with serving_ssh(folder, disk) as server:
            done = measure_remotely([server.host], bundle, held_out, QUICK, options_for(server, stand_in))
            left = list(disk.iterdir())
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)

    assert "its disk is full" in _only_reason(done)
    assert str(disk) in _only_reason(done)
    assert left == []


def test_a_machine_that_sends_anything_but_results_has_no_rows(
    server: SshServer, stand_in: StandIn, bundle: Bundle, held_out: HeldOut
) -> None:
    stand_in.answer(b"{}")

    done = measure_remotely([server.host], bundle, held_out, QUICK, options_for(server, stand_in))

    assert _only_reason(done).startswith("sent results that cannot be used: ")


def test_more_than_results_ever_have_is_not_taken(
    server: SshServer, stand_in: StandIn, bundle: Bundle, held_out: HeldOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_session, "MOST_RESULT_BYTES", 1000)
    stand_in.answer(b"x" * 1001)

    done = measure_remotely([server.host], bundle, held_out, QUICK, options_for(server, stand_in))

    assert _only_reason(done) == "announced 1,001 bytes of results; at most 1,000 are accepted."


def test_a_machine_that_talks_without_end_is_hung_up_on(
    tmp_path: Path, stand_in: StandIn, bundle: Bundle, held_out: HeldOut
) -> None:
    with serving_ssh(tmp_path, greeting="yes; ") as server:
        done = measure_remotely([server.host], bundle, held_out, QUICK, options_for(server, stand_in))

    assert _only_reason(done) == "sent no valid results."


def test_a_wheel_that_is_not_there_is_every_machines_reason(bundle: Bundle, held_out: HeldOut, tmp_path: Path) -> None:
    options = RemoteOptions(wheel=tmp_path / "none.whl")

    done = measure_remotely(["pi@a", "pi@b"], bundle, held_out, QUICK, options)

    assert list(done.unreachable) == ["pi@a", "pi@b"]
    assert all("none.whl: cannot be read" in reason for reason in done.unreachable.values())


@pytest.mark.parametrize(
    ("rounds", "seconds", "limit_s"), [(3, 0.5, 3600), (5, 2.0, 3600), (5, 60.0, 30 * 3600), (1000, 3600.0, 7 * 86400)]
)
def test_a_machine_has_the_longer_the_more_it_is_to_measure(rounds: int, seconds: float, limit_s: int) -> None:
    assert choose_limit_s(msgspec.structs.replace(QUICK, rounds=rounds, seconds=seconds)) == limit_s


def _only_reason(done: RemoteResults) -> str:
    assert (done.machines, done.rows, done.budgets) == ([], [], [])
    (reason,) = done.unreachable.values()
    return reason


def _fail_to_connect(host: str) -> str:
    with pytest.raises(BenchmarkError) as caught:
        Session(parse_host(host), SshOptions(connect_timeout_s=2), lambda _: None).run(Parcel({}, MODULE, 60))
    return str(caught.value)


def _is_alive(pid: int) -> bool:
    """Whether it runs; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])

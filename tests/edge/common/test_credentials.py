"""Passwords in addresses: read as people mean them, given in three ways, and never shown, whatever is wrong."""

import json
import logging
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from edge_mnist.benchmarks.errors import BenchmarkError
from edge_mnist.benchmarks.remote.ssh import parse_host
from edge_mnist.edge.cameras.camera import CameraUnsupportedError
from edge_mnist.edge.cameras.factory import check_source, redact_source
from edge_mnist.edge.cameras.http_stream import PASSWORD_VARIABLE
from edge_mnist.edge.commands.live_options import ADDRESS_VARIABLE, CameraChoice, camera_options
from edge_mnist.edge.common.errors import EdgeMnistError
from edge_mnist.edge.common.network.credentials import (
    MOST_PASSWORD_CHARACTERS,
    add_password,
    find_password,
    hide_credentials,
    mask_address,
    parse_address,
)
from edge_mnist.edge.live.sink_thread import SinkError
from edge_mnist.edge.sinks.mqtt_address import TlsFiles, parse_broker
from tests.conftest import edge_mnist, edge_mnist_process

SECRET = "Geheim"  # noqa: S105 - of no machine
UNDERSTOOD = {
    "http://camera/s": (None, None, "camera", None, "/s"),
    "http://admin@camera/s": ("admin", None, "camera", None, "/s"),
    f"http://admin:{SECRET}@camera:81/s": ("admin", SECRET, "camera", 81, "/s"),
    f"http://admin:{SECRET}@[::1]:81": ("admin", SECRET, "::1", 81, ""),
    f"http://admin:{SECRET}@CAMERA?x=1": ("admin", SECRET, "camera", None, "?x=1"),
    f"http://admin:p@{SECRET}@camera/": ("admin", f"p@{SECRET}", "camera", None, "/"),
    f"http://admin:a:{SECRET}@camera/": ("admin", f"a:{SECRET}", "camera", None, "/"),
    f"http://admin:{SECRET} %@camera/": ("admin", f"{SECRET} %", "camera", None, "/"),
    f"http://us%40er:{SECRET}%23%2F%3F%25@camera/": ("us@er", f"{SECRET}#/?%", "camera", None, "/"),
    f"http://jörg:{SECRET}ß[]@camera/": ("jörg", f"{SECRET}ß[]", "camera", None, "/"),
    f"http://:{SECRET}@camera/": ("", SECRET, "camera", None, "/"),
}
REFUSED = {
    f"http://admin:{SECRET}#1@camera/s": "the end of the password is unclear",
    f"http://admin:{SECRET}/1@camera/s": "the end of the password is unclear",
    f"http://admin:{SECRET}?1@camera/s": "the end of the password is unclear",
    f"http://admin:4711#{SECRET}@camera/s": "the end of the password is unclear",
    f"http://admin:4711/{SECRET}@camera/s": "the end of the password is unclear",
    f"http://a@b:{SECRET}/@camera/s": "the end of the password is unclear",
    f"http://admin:{SECRET}": "expected a host name or IP address",
    f"http://admin:{SECRET}@": "expected a host name or IP address",
    f"http://admin:{SECRET}@camera:99999/": "expected a host name or IP address",
    f"http://admin:{SECRET}@camera:0/": "expected a host name or IP address",
    f"http://admin:{SECRET}@[::1/": "expected a host name or IP address",
    f"http://admin:{SECRET}@a b/": "expected a host name or IP address",
    f"http://admin:{SECRET}@a..b/": "expected a host name or IP address",
    f"http://admin:{SECRET}\u2100@a\u2100b\x1b/": "expected a host name or IP address",
    f"http://admin:{SECRET}%0d%0aX@camera/": "control character",
    f"http://admin:{SECRET}\n@camera/": "control character",
    f"http://admin:{SECRET}%ff@camera/": "write a literal % as %25",
    f"https:/admin:{SECRET}@camera/": "begins with http:// or https://",
    f"http:admin:{SECRET}@camera/": "begins with http:// or https://",
}


@pytest.mark.parametrize(("text", "parts"), UNDERSTOOD.items(), ids=range(len(UNDERSTOOD)))
def test_an_address_is_read_as_people_mean_it(text: str, parts: tuple[object, ...]) -> None:
    address = parse_address(text, ["http"])

    assert (address.user, address.password, address.host, address.port, address.target) == parts
    assert SECRET not in repr(address) + address.shown


@pytest.mark.parametrize(("text", "message"), REFUSED.items(), ids=range(len(REFUSED)))
def test_what_may_hold_a_password_that_cannot_be_found_is_refused_without_a_piece_of_it(
    text: str, message: str
) -> None:
    with pytest.raises(CameraUnsupportedError, match=message) as caught:
        check_source(text)

    assert SECRET not in str(caught.value)
    assert "4711" not in str(caught.value)
    # Nor in what a traceback would show.
    assert caught.value.__suppress_context__
    assert SECRET not in mask_address(text) or "@" not in text


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (f"http://h/a.cgi?user=admin&pwd={SECRET}", "http://h/a.cgi"),
        (f"http://h/a.cgi&user=admin&pwd={SECRET}", "http://h/a.cgi"),
        (f"http://h/user=admin_password={SECRET}_channel=1", "http://h/user"),
        (f"http://u:{SECRET}@[::1]:8080/a;jsessionid={SECRET}#{SECRET}", "http://[::1]:8080/a"),
    ],
)
def test_a_query_is_not_shown_nor_what_looks_like_one(source: str, shown: str) -> None:
    assert redact_source(source) == shown


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (f"rtsp://admin:{SECRET}@h/x?pwd={SECRET}", "rtsp://...@h/x..."),
        (f"admin:{SECRET}/x@h/s?pwd={SECRET}", "...@h/s..."),
        (f"rtsp:/admin:{SECRET}@h/s", "rtsp:/...@h/s"),
        ("photo@2x.mp4", "photo@2x.mp4"),
        ("v4l2:/dev/video0", "v4l2:/dev/video0"),
    ],
)
def test_what_is_no_address_that_is_read_is_masked(source: str, shown: str) -> None:
    assert mask_address(source) == shown


@pytest.mark.parametrize("password", ["a/b#c?d@e:f%41 ü€", "%", "@", SECRET])
def test_in_a_password_that_is_added_every_character_stands_for_itself(password: str) -> None:
    address = parse_address(add_password("http://us%40er@[::1]:81/x?y=1", password), ["http"])

    assert (address.user, address.password) == ("us@er", password)
    assert (address.host, address.port, address.target) == ("::1", 81, "/x?y=1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("http://camera/", "there is a password, but no user"),
        (f"http://u:{SECRET}@camera/", "it also contains a password"),
    ],
)
def test_a_password_that_belongs_to_nobody_is_refused(text: str, message: str) -> None:
    with pytest.raises(EdgeMnistError, match=message) as caught:
        add_password(text, SECRET)

    assert SECRET not in str(caught.value)


def test_a_password_comes_from_a_file_or_else_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "word").write_bytes(b"a#b \xc3\xbc\r\nnot this\n")
    monkeypatch.setenv("WORD", "from the environment")

    assert find_password(tmp_path / "word", "WORD") == "a#b ü"
    assert find_password(None, "WORD") == "from the environment"
    assert find_password(None, "NO_SUCH_WORD") is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected a password of 1 to"),
        (b"\n" + SECRET.encode(), "expected a password of 1 to"),
        (SECRET.encode() * MOST_PASSWORD_CHARACTERS, "expected a password of 1 to"),
        (SECRET.encode() + b"\0", "without control characters"),
        (SECRET.encode() + b"\xff", "it is not text"),
    ],
    ids=["empty", "an empty line", "too long", "a zero", "not UTF-8"],
)
def test_a_file_without_a_password_is_a_sentence_without_what_is_in_it(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "word").write_bytes(content)

    with pytest.raises(EdgeMnistError, match=message) as caught:
        find_password(tmp_path / "word", "WORD")

    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def _choose(*arguments: object, **environment: str) -> CameraChoice:
    chosen: list[CameraChoice] = []
    command = click.command()(camera_options(lambda camera: chosen.append(camera)))  # noqa: PLW0108 - the argument has this name
    result = CliRunner(env={PASSWORD_VARIABLE: None, ADDRESS_VARIABLE: None, **environment}).invoke(
        command, [*map(str, arguments)], catch_exceptions=False
    )
    if result.exit_code:
        raise click.UsageError(result.output)
    return chosen[0]


def test_the_camera_has_its_password_from_the_environment_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "word").write_text("a#b\n")
    asked = ("--camera", "http://admin@h/s")

    from_file = _choose(*asked, "--camera-password-file", tmp_path / "word", **{PASSWORD_VARIABLE: SECRET})
    from_environment = _choose(*asked, **{PASSWORD_VARIABLE: SECRET})
    whole = _choose(**{ADDRESS_VARIABLE: f"http://h/s?pwd={SECRET}"})

    assert from_file.source == "http://admin:a%23b@h/s"
    assert from_environment.source == f"http://admin:{SECRET}@h/s"
    assert whole.source == f"http://h/s?pwd={SECRET}"
    assert SECRET not in repr(from_environment)


def test_a_password_of_the_environment_is_not_for_cameras_without_an_address() -> None:
    assert _choose("--camera", "v4l2:0", **{PASSWORD_VARIABLE: SECRET}).source == "v4l2:0"


def test_a_password_file_without_an_address_is_misuse(tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match="needs --camera http://USER@HOST/PATH"):
        _choose("--camera", "auto", "--camera-password-file", tmp_path / "word")


def test_a_password_that_everybody_can_see_is_pointed_out(caplog: pytest.LogCaptureFixture) -> None:
    visible = f"http://u:{SECRET}@h/s"
    with caplog.at_level(logging.WARNING):
        _choose("--camera", "http://u@h/s", **{PASSWORD_VARIABLE: SECRET})
        _choose(**{ADDRESS_VARIABLE: visible})
        assert not caplog.records

        _choose("--camera", visible)

    (record,) = caplog.records
    assert "--camera-password-file" in record.message
    assert SECRET not in record.message


@pytest.mark.parametrize("text", [f"pi:{SECRET}@raspberrypi", f"ssh://pi:{SECRET}@raspberrypi", f"pi:{SECRET}/#@h:22"])
def test_a_password_for_ssh_is_refused_without_it(text: str) -> None:
    with pytest.raises(BenchmarkError, match="Passwords are not used") as caught:
        parse_host(text)

    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("address", [f"u:{SECRET}#1@h/t", f"u:{SECRET}/1@h/t", f"u:{SECRET}@h/t", f"u:{SECRET}"])
@pytest.mark.parametrize("scheme", ["mqtt://", "mqtts://", "mqtt:", ""])
def test_a_password_in_a_brokers_address_is_refused_without_it(scheme: str, address: str) -> None:
    with pytest.raises(SinkError) as caught:
        parse_broker(scheme + address, TlsFiles(), None)

    assert SECRET not in str(caught.value)


COMMANDS = {
    "run": ["run", "ADDRESS"],
    "inspect": ["inspect", "ADDRESS"],
    "verify": ["verify", "ADDRESS"],
    "live --model": ["live", "--model", "ADDRESS"],
    "live --camera": ["live", "--camera", "ADDRESS"],
    "live --camera=": ["live", "--camera=ADDRESS"],
    "live --mqtt": ["live", "--mqtt", "ADDRESS"],
    "live --mqtt-ca": ["live", "--mqtt", "mqtts://h/t", "--mqtt-ca", "ADDRESS"],
    "live --web": ["live", "--web", "ADDRESS"],
    "serve --camera": ["serve", "--camera", "ADDRESS"],
    "serve --host": ["serve", "--host", "ADDRESS"],
    "serve --token-file": ["serve", "--token-file", "ADDRESS"],
    "benchmark --host": ["benchmark", "--host", "ADDRESS"],
    "benchmark photos": ["benchmark", "photos", "ADDRESS"],
    "an unknown command": ["ADDRESS"],
}


@pytest.mark.parametrize("address", [f"ftp://admin:{SECRET}@h/s?x={SECRET}", f"http://admin:{SECRET}#1@h/s"])
@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_no_command_quotes_a_password(words: list[str], address: str) -> None:
    result = edge_mnist(*[word.replace("ADDRESS", address) for word in words])

    assert result.exit_code != 0
    assert SECRET not in result.output


def test_other_words_of_the_command_line_are_quoted() -> None:
    assert hide_credentials("a@b: no http://x@y", ["a@b", "--x=http://x@y"]) == "a@b: no http://...@y"


def test_no_password_is_in_what_a_camera_that_fails_tells(tmp_path: Path) -> None:
    """Standard output, standard error and the file of JSON lines of a real process."""
    lines = tmp_path / "events.jsonl"
    arguments = ["live", "--camera", "http://admin@127.0.0.1:1/s?x=Geheim", "--wait", "--seconds", "2", "--json", "-v"]

    ran = edge_mnist_process(*arguments, "--jsonl", lines, **{PASSWORD_VARIABLE: f"{SECRET}#/?@"})

    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout.splitlines()[0])["source"] == "http://127.0.0.1:1/s"
    assert SECRET not in ran.stdout + ran.stderr + lines.read_text()

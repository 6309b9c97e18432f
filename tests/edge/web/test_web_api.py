"""What the web server answers when all is well."""

import os
import shutil
import threading
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx
import msgspec
import numpy as np
import pytest
from PIL import Image

from edge_mnist.edge.bundle.folder import open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.bundle.writing import write_card
from edge_mnist.edge.common.errors import EdgeMnistError
from edge_mnist.edge.live.documents import describe_event
from edge_mnist.edge.live.events import CameraChange
from edge_mnist.edge.media.pictures import read_gray
from edge_mnist.edge.reading.reader import Reader
from edge_mnist.edge.web.live_feed import LiveFeed
from edge_mnist.edge.web.server import start_server
from edge_mnist.edge.web.settings import WebLimits, WebSettings
from tests.builders.sightings import make_change, make_sighting
from tests.stand_ins.web_server import PATIENCE_S, PNG, TOKEN, draw_digits, serving


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    """Of a server with the shipped model and no camera."""
    with serving() as (_, client):
        yield client


@pytest.fixture
def live() -> Iterator[tuple[LiveFeed, httpx.Client]]:
    """Of a server with a feed that tests put events on."""
    feed = LiveFeed("auto")
    with serving(feed, limits=WebLimits(requests_per_s=0, poll_s=0.3, ping_s=0.2)) as (_, client):
        yield feed, client


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM"])
def test_a_picture_of_each_format_is_read(client: httpx.Client, kind: str) -> None:
    answer = client.post("/v1/read", content=draw_digits(kind=kind), headers={"Content-Type": f"image/{kind.lower()}"})

    assert answer.status_code == 200
    assert answer.json()["rows"] == ["274"]


def test_the_answer_says_what_the_reader_says(client: httpx.Client) -> None:
    picture = draw_digits()
    reading = Reader().read(read_gray(picture))

    answer = client.post("/v1/read", content=picture, headers=PNG).json()

    assert [digit["digit"] for digit in answer["digits"]] == [2, 7, 4]
    assert [digit["confidence"] for digit in answer["digits"]] == [digit.confidence for digit in reading.digits]
    for factor in ("digit_probability", "class_probability"):
        assert [digit[factor] for digit in answer["digits"]] == [getattr(digit, factor) for digit in reading.digits]
    assert answer["truncated"] is False
    assert [digit["score"] for digit in answer["digits"]] == [digit.score for digit in reading.digits]
    assert [tuple(digit["box"]) for digit in answer["digits"]] == [
        (box.x, box.y, box.width, box.height) for box in (digit.box for digit in reading.digits)
    ]
    assert answer["frame"] == {"width": 320, "height": 120}
    assert list(answer["timing_ms"]) == ["wait", "decode", "find", "frame", "infer"]


def test_a_picture_without_digits_is_an_empty_reading(client: httpx.Client) -> None:
    answer = client.post("/v1/read", content=draw_digits(""), headers=PNG).json()

    assert (answer["rows"], answer["digits"]) == ([], [])


@pytest.mark.parametrize("runtime", ["litert", "onnxruntime"])
@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_every_choice_reads_and_its_golden_vectors_are_checked(
    client: httpx.Client, runtime: str, precision: str
) -> None:
    query = {"model": "standard", "runtime": runtime, "precision": precision}

    answer = client.post("/v1/read", params=query, content=draw_digits(), headers=PNG).json()

    assert {name: answer[name] for name in query} == query
    assert answer["rows"] == ["274"]
    assert {**query, "golden": "passed"} in client.get("/v1/model").json()["choices"]


@pytest.mark.parametrize("query", [{"model": "nonesuch"}, {"runtime": "tpu"}, {"precision": "int16x8"}])
def test_what_is_not_there_cannot_be_chosen(client: httpx.Client, query: dict[str, str]) -> None:
    answer = client.post("/v1/read", params=query, content=draw_digits(), headers=PNG)

    assert answer.status_code == 400
    assert "choose one of standard int8 on litert" in answer.json()["error"]


def test_the_model_is_described_as_its_card_does(client: httpx.Client) -> None:
    bundle = open_bundle(SHIPPED)
    file = bundle.file("onnx", "int8")

    model = client.get("/v1/model").json()

    assert (model["name"], model["parameters"]) == (bundle.card.name, bundle.card.architecture.parameters)
    assert model["abstention"]["threshold"] == bundle.export.abstention.threshold
    assert model["abstention"]["temperature"] == bundle.export.abstention.temperature
    assert model["onnx_int8"]["sha256"] == file.record.sha256
    assert model["onnx_int8"]["output"]["scale"] == file.output.scale
    assert (model["models"], model["runtime"], model["precision"]) == (["standard"], "litert", "int8")
    assert model["camera"] is None


def test_the_browser_gets_the_very_file_that_the_card_vouches_for(client: httpx.Client) -> None:
    bundle = open_bundle(SHIPPED)

    answer = client.get("/model/int8.onnx")

    assert answer.content == bundle.read(bundle.file("onnx", "int8").record)
    again = client.get("/model/int8.onnx", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_two_models_can_be_chosen_between(tmp_path: Path) -> None:
    twin = tmp_path / "twin"
    shutil.copytree(SHIPPED, twin)
    write_card(twin, msgspec.structs.replace(open_bundle(SHIPPED).card, name="twin"))

    with serving(models=(SHIPPED, twin)) as (_, client):
        names = client.get("/v1/model").json()["models"]
        answer = client.post("/v1/read", params={"model": "twin"}, content=draw_digits(), headers=PNG).json()
        model = client.get("/v1/model", params={"model": "twin"}).json()

    assert names == ["standard", "twin"]
    assert (answer["model"], model["name"]) == ("twin", "twin")


def test_models_of_one_name_are_refused() -> None:
    with pytest.raises(EdgeMnistError, match="have the same name"):
        start_server(None, port=0, settings=WebSettings(models=(SHIPPED, SHIPPED)))


@pytest.mark.parametrize("path", ["/v1/live", "/v1/live/frame.jpg", "/v1/report"])
def test_what_the_server_was_not_started_with_is_said_to_be_missing(client: httpx.Client, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code == 404
    assert "start" in answer.json()["error"]


def test_events_are_those_of_the_one_json_form(live: tuple[LiveFeed, httpx.Client]) -> None:
    feed, client = live
    feed.take(make_change())
    feed.take(make_sighting(0))

    with client.stream("GET", "/v1/live") as stream:
        events = read_events(stream)
        first = [next(events), next(events)]
        now = next(events)
        feed.take(make_sighting(1, ("7",), is_new=True))
        third = next(events)

    assert (now["event"], now["state"], now["captured_at"]) == ("alive", "open", first[1]["captured_at"])
    assert stream.headers["Content-Type"].startswith("text/event-stream")
    expected = [make_change(), make_sighting(0), make_sighting(1, ("7",), is_new=True)]
    assert [*first, third] == [as_json(event) for event in expected]


def test_a_source_whose_name_is_no_text_is_named_as_far_as_it_is() -> None:
    source = os.fsdecode(b"meter \xff \xc3\xa9")
    feed = LiveFeed(source)
    feed.take(CameraChange(source, "lost", f"{source}: gone", 0.0))

    with serving(feed) as (_, client):
        named = client.get("/v1/model").json()["camera"]
        with client.stream("GET", "/v1/live") as stream:
            event = next(read_events(stream))

    assert (named, event["source"], event["message"]) == ("meter � é", "meter � é", "meter � é: gone")


def test_who_is_slow_misses_some_and_gets_the_newest(live: tuple[LiveFeed, httpx.Client]) -> None:
    feed, client = live

    with client.stream("GET", "/v1/live") as stream:
        for i in range(2000):
            feed.take(make_sighting(i))
        seen = [-1]
        while seen[-1] != 1999:
            seen.append(next(read_events(stream)).get("frame", seen[-1]))

    assert seen == sorted(seen)
    assert len(seen) < 1000


def test_silence_is_filled_with_what_is_so_and_how_old_the_reading_is(live: tuple[LiveFeed, httpx.Client]) -> None:
    feed, client = live

    with client.stream("GET", "/v1/live") as stream:
        events = read_events(stream)
        before = next(events)
        feed.take(make_change())
        feed.take(make_sighting(3))
        after = [next(events) for _ in range(6)]

    assert before == {"event": "alive", "source": "auto", "state": "starting", "captured_at": None, "age_s": None}
    alive = [event for event in after if event["event"] == "alive"]
    assert {(event["state"], event["captured_at"]) for event in alive} == {
        ("open", as_json(make_sighting(3))["captured_at"])
    }
    ages = [event["age_s"] for event in alive]
    # Of the frame, which was taken 5.25 ms before its event.
    assert ages == sorted(ages)
    assert 0.005 < ages[0] < ages[-1] < PATIENCE_S


def test_a_live_picture_says_how_old_it_is(live: tuple[LiveFeed, httpx.Client]) -> None:
    feed, client = live

    with fetching(client, "/v1/live/frame.jpg", 1) as answers:
        wait_until(lambda: feed._picture_watchers == 1)
        feed.take(make_sighting(1, picture=np.full((24, 32, 3), 235, np.uint8)))

    # It was taken 5.25 ms before its event.
    assert 0.005 <= float(answers[0].headers["X-Age-S"]) < PATIENCE_S


def test_a_live_picture_is_encoded_once_for_all_and_only_when_asked_for(
    live: tuple[LiveFeed, httpx.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    feed, client = live
    encoded: list[object] = []
    encode = LiveFeed._encode
    monkeypatch.setattr(LiveFeed, "_encode", lambda *args: encoded.append(encode(*args)) or encoded[-1])
    picture = np.full((240, 320, 3), (200, 30, 30), np.uint8)
    assert not feed.wants_picture()
    feed.take(make_sighting(0, picture=picture))

    with fetching(client, "/v1/live/frame.jpg", times=3) as answers:
        wait_until(lambda: feed._picture_watchers == 3)
        assert feed.wants_picture()
        feed.take(make_sighting(1, picture=picture))

    assert [item is not None for item in encoded] == [False, True]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert {answer.headers["X-Frame-Index"] for answer in answers} == {"1"}
    assert {answer.headers["X-Captured-At"] for answer in answers} == {"1740830400.062"}
    shown = np.asarray(Image.open(BytesIO(answers[0].content)))
    # JPEG is not exact: red is red.
    assert shown.shape == picture.shape
    assert np.abs(shown.astype(int) - picture).max() < 12
    wait_until(lambda: not feed._is_watched)
    assert not feed.wants_picture()


def test_pictures_are_not_wanted_more_often_than_they_are_shown(live: tuple[LiveFeed, httpx.Client]) -> None:
    feed, client = live
    feed._picture_interval_s = 60
    picture = np.zeros((24, 32, 3), np.uint8)

    with fetching(client, "/v1/live/frame.jpg", times=1):
        wait_until(feed.wants_picture)
        feed.take(make_sighting(0, picture=picture))

    assert feed._is_watched
    assert not feed.wants_picture()


def test_who_has_the_newest_picture_waits_and_is_told_when_there_is_none(live: tuple[LiveFeed, httpx.Client]) -> None:
    feed, client = live
    feed.take(make_change("open"))
    begun_s = time.monotonic()

    answer = client.get("/v1/live/frame.jpg", params={"after": 0})

    assert (answer.status_code, answer.content) == (204, b"")
    assert time.monotonic() - begun_s >= 0.3


def test_there_are_no_pictures_after_the_end(live: tuple[LiveFeed, httpx.Client]) -> None:
    feed, client = live
    feed.take(make_change("ended"))

    answer = client.get("/v1/live/frame.jpg")

    assert answer.status_code == 409
    assert "end" in answer.json()["error"]


@pytest.mark.parametrize(("state", "status"), [("open", 200), ("lost", 503), ("ended", 200)])
def test_readiness_depends_on_the_camera(live: tuple[LiveFeed, httpx.Client], state: str, status: int) -> None:
    feed, client = live
    assert client.get("/readyz").status_code == 503
    feed.take(make_change(state))

    answer = client.get("/readyz")

    assert answer.status_code == status
    assert answer.json() == {"ready": status == 200, "model": "loaded", "camera": state}
    assert client.get("/healthz").json() == {"status": "ok"}


def test_metrics_count_readings_stages_camera_and_refusals(live: tuple[LiveFeed, httpx.Client]) -> None:
    feed, client = live
    feed.take(make_change("open"))
    feed.take(make_sighting(0))
    feed.take(make_sighting(9))
    client.post("/v1/read", content=draw_digits(), headers=PNG)
    client.post("/v1/read", content=b"no", headers=PNG)
    client.get("/nonesuch")

    text = client.get("/metrics").text

    for line in (
        'edge_mnist_readings_total{origin="upload"} 1.0',
        'edge_mnist_readings_total{origin="live"} 10.0',
        'edge_mnist_stage_seconds_count{origin="upload",stage="decode"} 1.0',
        'edge_mnist_stage_seconds_count{origin="live",stage="infer"} 2.0',
        'edge_mnist_refused_requests_total{reason="picture"} 1.0',
        'edge_mnist_refused_requests_total{reason="path"} 1.0',
        'edge_mnist_camera_state{state="open"} 1.0',
        'edge_mnist_camera_state{state="lost"} 0.0',
        "edge_mnist_camera_fps 16.0",
        "edge_mnist_skipped_frames_total 3.0",
        "edge_mnist_watchers 0.0",
    ):
        assert line in text.splitlines()
    assert "process_resident_memory_bytes" in text


def test_settings_do_not_show_their_token() -> None:
    assert TOKEN not in repr(WebSettings(token=TOKEN))


def read_events(stream: httpx.Response) -> Iterator[dict]:
    """The data of each; the stream goes on where the one before stopped."""
    stream.__dict__.setdefault("lines", stream.iter_lines())
    for line in stream.__dict__["lines"]:
        if line.startswith("data: "):
            yield msgspec.json.decode(line.removeprefix("data: "))


def as_json(event) -> dict:
    return msgspec.json.decode(msgspec.json.encode(describe_event(event)))


class fetching:  # noqa: N801 - it is used as a function
    """Ask for the same at the same time; the answers are there after the block."""

    def __init__(self, client: httpx.Client, path: str, times: int) -> None:
        self.answers: list[httpx.Response] = []
        self._threads = [threading.Thread(target=lambda: self.answers.append(client.get(path))) for _ in range(times)]

    def __enter__(self) -> list[httpx.Response]:
        for thread in self._threads:
            thread.start()
        return self.answers

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join(PATIENCE_S)


def wait_until(holds) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end_s, "it did not happen"
        time.sleep(0.005)

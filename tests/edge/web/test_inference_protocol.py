"""The Open Inference Protocol, spoken by Triton's own client and by hand: the classifier's logits, bit for bit."""

import json
import re
import socket
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_mnist.edge.bundle.folder import open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.runtimes.golden import unpack_pixels
from edge_mnist.edge.runtimes.prediction import Classifier
from edge_mnist.edge.web.server import WebServer
from edge_mnist.edge.web.settings import WebLimits
from tests.conftest import REPOSITORY
from tests.stand_ins.web_server import PATIENCE_S, TOKEN, serving

triton = pytest.importorskip("tritonclient.http", reason="needs the package tritonclient[http]")
INFER = "/v2/models/standard-int8/infer"


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    return unpack_pixels(open_bundle(SHIPPED).export.golden_pixels)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[WebServer, httpx.Client]]:
    with serving() as both:
        yield both


@pytest.fixture
def client(served: tuple[WebServer, httpx.Client]) -> Iterator[object]:
    client = triton.InferenceServerClient(f"127.0.0.1:{served[0].port}")
    yield client
    client.close()


def _ask(images: NDArray[np.uint8], binary: bool) -> list[object]:
    asked = triton.InferInput("pixels", list(images.shape), "UINT8")
    asked.set_data_from_numpy(images, binary_data=binary)
    return [asked]


@pytest.mark.parametrize("sent", [True, False], ids=["bytes sent", "JSON sent"])
@pytest.mark.parametrize("received", [True, False], ids=["bytes received", "JSON received"])
@pytest.mark.parametrize(("precision", "runtime"), [("int8", "litert"), ("float32", "litert"), ("int8", "onnxruntime"),
                                                    ("float32", "onnxruntime")])  # fmt: skip
def test_logits_are_those_of_the_classifier_bit_for_bit(
    client: "triton.InferenceServerClient", images: NDArray[np.uint8],
    precision: str, runtime: str, sent: bool, received: bool,
) -> None:  # fmt: skip
    outputs = [triton.InferRequestedOutput("logits", binary_data=received)]

    answer = client.infer(f"standard-{precision}-{runtime}", _ask(images, sent), outputs=outputs, request_id="seven")

    expected = Classifier(SHIPPED, runtime, precision).logits(images)  # pyright: ignore[reportArgumentType]
    logits = answer.as_numpy("logits")
    assert logits.dtype == np.float32
    assert logits.tobytes() == expected.tobytes()
    assert answer.get_response()["id"] == "seven"


def test_without_named_outputs_and_with_a_version_it_infers_too(
    client: "triton.InferenceServerClient", images: NDArray[np.uint8]
) -> None:
    answer = client.infer("standard-int8", _ask(images[:1], binary=True), model_version="1")

    assert answer.as_numpy("logits").shape == (1, 10)


def test_the_python_of_the_page_runs(served: tuple[WebServer, httpx.Client]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (REPOSITORY / "docs" / "guides" / "fleet.md").read_text(), re.DOTALL)
    found: dict[str, object] = {}

    exec(code.replace(":8000", f":{served[0].port}"), found)  # noqa: S102 - of our own page

    assert np.shape(found["logits"]) == (1, 10)
    found["client"].close()  # pyright: ignore[reportAttributeAccessIssue]


def test_the_client_finds_out_what_is_there(client: "triton.InferenceServerClient") -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("standard-int8")
    assert not client.is_model_ready("standard-int4")
    assert client.get_server_metadata()["name"] == "edge-mnist"
    model = client.get_model_metadata("standard-float32", "1")
    assert model["inputs"] == [{"name": "pixels", "datatype": "UINT8", "shape": [-1, 28, 28, 1]}]
    assert model["outputs"] == [{"name": "logits", "datatype": "FP32", "shape": [-1, 10]}]
    assert model["platform"] == "litert_tflite"


def test_tokens_hold_for_triton_s_client(images: NDArray[np.uint8]) -> None:
    with serving(token=TOKEN) as (server, _):
        client = triton.InferenceServerClient(f"127.0.0.1:{server.port}")
        headers = {"Authorization": f"Bearer {TOKEN}"}

        with pytest.raises(triton.InferenceServerException, match="needs the token"):
            client.infer("standard-int8", _ask(images, binary=True))
        with pytest.raises(triton.InferenceServerException, match="needs the token"):
            client.get_model_metadata("standard-int8")
        assert not client.is_server_live()
        answered = client.infer("standard-int8", _ask(images, binary=True), headers=headers)
        client.close()

    assert answered.as_numpy("logits").shape == (len(images), 10)


def _body(**changes: object) -> dict[str, object]:
    tensor = {"name": "pixels", "shape": [1, 28, 28, 1], "datatype": "UINT8", "data": [0] * 784}
    return {"inputs": [{name: value for name, value in (tensor | changes).items() if value is not None}]}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"inputs": []},
        {"inputs": _body()["inputs"] * 2},  # pyright: ignore[reportOperatorIssue]
        _body(name="x"),
        _body(datatype="FP32"),
        _body(shape=[]),
        _body(shape=[0, 28, 28, 1]),
        _body(shape=[-1, 28, 28, 1]),
        _body(shape=[2, 28, 28, 1]),
        _body(shape=[2**62, 28, 28, 1]),
        _body(shape=[1, 784]),
        _body(data=None),
        _body(data=[0.5] * 784),
        _body(data=[256] * 784),
        _body(data=[-1] * 784),
        _body(data=["0"] * 784),
        _body(data=[[0], [0, 0]]),
        _body(data=[2**70] * 784),
        _body(data={"a": 1}),
        _body(parameters={"binary_data_size": 784}),
        _body(data=None, parameters={"binary_data_size": "many"}),
        {**_body(), "outputs": [{"name": "classes"}]},
        {**_body(), "outputs": [{"name": "logits", "parameters": {"classification": 3}}]},
    ],
)
def test_a_request_that_is_not_valid_is_one_sentence(
    served: tuple[WebServer, httpx.Client], body: dict[str, object]
) -> None:
    answer = served[1].post(INFER, json=body)

    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"\xff", b"null"])
def test_a_body_that_is_not_json_is_refused(served: tuple[WebServer, httpx.Client], body: bytes) -> None:
    answer = served[1].post(INFER, content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 400


@pytest.mark.parametrize("length", ["-1", "x", "99999999999", ""])
def test_a_wrong_length_of_the_json_is_refused(served: tuple[WebServer, httpx.Client], length: str) -> None:
    headers = {"Inference-Header-Content-Length": length}

    assert served[1].post(INFER, content=json.dumps(_body()), headers=headers).status_code == 400


def test_nested_data_and_a_flat_list_are_the_same(
    served: tuple[WebServer, httpx.Client], images: NDArray[np.uint8]
) -> None:
    answers = [
        served[1].post(INFER, json=_body(data=data)).json()
        for data in (images[:1].tolist(), images[0].ravel().tolist())
    ]

    assert answers[0] == answers[1]
    assert len(answers[0]["outputs"][0]["data"]) == 10


@pytest.mark.parametrize("path", ["/v2/models/other", "/v2/models/standard-int8/versions/2",
                                  "/v2/models/standard-int8/config"])  # fmt: skip
def test_what_there_is_not_is_404(served: tuple[WebServer, httpx.Client], path: str) -> None:
    assert served[1].get(path).status_code == 404


def test_limits_hold_for_inference() -> None:
    """Bytes, media types, the rate, the time to arrive, and places for those who wait."""
    with serving(limits=WebLimits(upload_bytes=5000, requests_per_s=1, burst=5, waiting=0, readers=1)) as (_, client):
        many = client.post(INFER, json=_body(data=[0] * 7840, shape=[10, 28, 28, 1]))
        form = client.post(INFER, content=b"x", headers={"Content-Type": "text/plain"})
        packed = client.post(INFER, content=b"x", headers={"Content-Encoding": "gzip"})
        other_site = client.post(INFER, json=_body(), headers={"Origin": "https://evil.example"})
        fine = client.post(INFER, json=_body())
        statuses = [client.post(INFER, json=_body()).status_code for _ in range(4)]

    assert (many.status_code, form.status_code, packed.status_code) == (413, 415, 415)
    assert "MB: send a smaller one" in many.json()["error"]
    assert other_site.status_code == 403
    assert fine.status_code == 200
    assert 429 in statuses


@pytest.mark.parametrize("limits", [{"held_bytes": 100}, {"waiting": -2}], ids=["held bytes", "places"])
def test_a_request_that_finds_no_room_is_told_to_come_back(limits: dict[str, int]) -> None:
    with serving(limits=WebLimits(requests_per_s=0, **limits)) as (_, client):
        answer = client.post(INFER, json=_body())

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")


def test_a_request_that_does_not_arrive_is_not_waited_for() -> None:
    with serving(limits=WebLimits(body_s=0.3)) as (server, _):
        connection = socket.create_connection(("127.0.0.1", server.port), PATIENCE_S)
        head = f"POST {INFER} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Length: 100\r\n\r\n{{"
        connection.sendall(head.encode())

        status = connection.recv(100).split()[1]
        connection.close()

    assert status == b"408"

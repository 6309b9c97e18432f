"""The page and its files, ONNX Runtime's files for the browser, and the benchmark report."""

import hashlib
import os
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from ..browser_runtime import FILES, is_file, runtime_dir
from ..errors import RequestRefusedError
from ..service import WebService
from .schemas import document_errors

STATIC = Path(__file__).parents[1] / "static"
PAGE = "index.html"
RUNTIME_VARIABLE = "EDGE_MNIST_WEB_RUNTIME"
# Types that browsers insist on, whatever the machine's own table says.
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
}
RUNTIME_FILES = frozenset(Path(name).name for name in FILES)
# Checked with each request, and sent only if it changed.
_REVALIDATE = "no-cache"
# A report contains its styles and pictures. It runs no scripts and can reach nothing, not even this server.
REPORT_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"


def add_file_routes(app: FastAPI, service: WebService) -> None:
    """Add the files that browsers load; only the report is part of the API."""
    files = load_static_files(STATIC)

    async def send_page(request: Request) -> Response:
        return send_bytes(request, *_find(files, PAGE))

    async def send_static(request: Request) -> Response:
        return send_bytes(request, *_find(files, request.path_params["name"]))

    async def send_runtime(request: Request) -> Response:
        return send_runtime_file(request, find_runtime_folder(), request.path_params["name"])

    # Starlette's own routes answer HEAD, too.
    app.router.add_route("/", send_page, include_in_schema=False)
    app.router.add_route("/static/{name}", send_static, include_in_schema=False)
    app.router.add_route("/runtime/{name}", send_runtime, include_in_schema=False)

    @app.get(
        "/v1/report",
        summary="The benchmark report",
        response_class=Response,
        responses={200: {"content": {"text/html": {}}}, **document_errors(404)},
    )
    async def send_report() -> Response:
        path = service.settings.report
        if path is None or not is_file(path):
            message = "There is no report here: start `edge-mnist serve` with --report FILE to show one."
            raise RequestRefusedError(404, "path", message)
        headers = {"Content-Security-Policy": REPORT_POLICY, "Cache-Control": "no-store"}
        return FileResponse(path, media_type=_media_type(PAGE), headers=headers)


def load_static_files(folder: Path) -> dict[str, tuple[bytes, str]]:
    """Load each file's content and media type, by name; files that are added later are never served."""
    return {
        path.name: (path.read_bytes(), _media_type(path.name))
        for path in sorted(folder.iterdir())
        if path.is_file() and path.suffix in MEDIA_TYPES
    }


def find_runtime_folder() -> Path:
    """Find the folder of onnxruntime-web's files, if they are installed."""
    given = os.environ.get(RUNTIME_VARIABLE)
    return Path(given) if given else runtime_dir()


def send_runtime_file(request: Request, folder: Path, name: str) -> Response:
    """Send one of these files, or nothing if the client already has it.

    Raises:
        RefusedError: 404, there is no file of that name.
    """
    path = folder / name
    if name not in RUNTIME_FILES or not is_file(path):
        raise RequestRefusedError(
            404, "path", "There is no such file here: onnxruntime-web is not installed, or incomplete."
        )
    # Megabytes, so not read into memory; Starlette's ETag is of time and size, and it does not compare ETags itself.
    headers = {"Cache-Control": _REVALIDATE}
    answer = FileResponse(path, media_type=_media_type(name), headers=headers, stat_result=path.stat())
    headers["ETag"] = answer.headers["ETag"]
    return Response(status_code=304, headers=headers) if _has(request, headers["ETag"]) else answer


def send_bytes(request: Request, content: bytes, media_type: str) -> Response:
    """Send content, or nothing if the client already has it."""
    headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()[:32]}"', "Cache-Control": _REVALIDATE}
    if _has(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=media_type)


def _has(request: Request, etag: str) -> bool:
    """Whether the client reports that it has this version."""
    known = request.headers.get("if-none-match", "").split(",")
    return etag in [tag.strip().removeprefix("W/") for tag in known]


def _media_type(name: str) -> str:
    return MEDIA_TYPES[Path(name).suffix]


def _find(files: dict[str, tuple[bytes, str]], name: str) -> tuple[bytes, str]:
    if name not in files:
        raise RequestRefusedError(404, "path", "There is nothing at this address.")
    return files[name]

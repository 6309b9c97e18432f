"""A real RTSP server: GStreamer's, in a process of Debian's own Python, which has its bindings."""

import shutil
import subprocess
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

PYTHON = "/usr/bin/python3"
NEEDS = (
    "needs an RTSP server: apt install python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base "
    "gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly"
)
SIZE = (320, 240)
FPS = 25
# Run by Debian's Python: [port, pipeline, user, password, certificate and key]. It prints its port.
PROGRAM = """
import sys
import gi
for name in ("Gst", "GstRtsp", "GstRtspServer"):
    gi.require_version(name, "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer
Gst.init(None)
port, pipeline, user, password, certificate = sys.argv[1:]
if not all(map(Gst.ElementFactory.find, ("x264enc", "rtph264pay", "multifilesrc", "pngdec"))):
    sys.exit("an element of GStreamer is missing")
server = GstRtspServer.RTSPServer.new()
server.set_address("127.0.0.1")
server.set_service(port)
factory = GstRtspServer.RTSPMediaFactory.new()
factory.set_launch(pipeline)
factory.set_shared(True)
if user or certificate:
    auth, token = GstRtspServer.RTSPAuth.new(), GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    structure = Gst.Structure.new_from_string("viewer,media.factory.access=true,media.factory.construct=true")
    factory.add_role_from_structure(structure[0] if isinstance(structure, tuple) else structure)
    if certificate:
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(certificate))
    if user:
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(user, password, token)
    else:
        auth.set_default_token(token)
    server.set_auth(auth)
server.get_mount_points().add_factory("/stream", factory)
server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
"""


@contextmanager
def running_rtsp(
    folder: Path,
    frames: list[NDArray[np.uint8]],
    login: tuple[str, str] = ("", ""),
    certificate: Path | None = None,
    port: int = 0,
) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """Serve gray frames, one after the other and over and over, as H.264 at rtsp://127.0.0.1:PORT/stream.

    Its port, and its process. A skip where there is no such server.
    """
    for i, frame in enumerate(frames):
        cv2.imwrite(str(folder / f"{i}.png"), frame)
    pipeline = (
        f"( multifilesrc location={folder}/%d.png start-index=0 stop-index={len(frames) - 1} loop=true "
        f"caps=image/png,framerate={FPS}/1 ! pngdec ! videoconvert ! video/x-raw,format=I420 ! identity sync=true "
        f"! x264enc tune=zerolatency key-int-max={FPS} ! rtph264pay name=pay0 pt=96 )"
    )
    if shutil.which(PYTHON) is None:
        pytest.skip(NEEDS)
    process = subprocess.Popen(
        [PYTHON, "-c", textwrap.dedent(PROGRAM), str(port), pipeline, *login, str(certificate or "")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        if not line:
            reason = process.stderr.read().strip().splitlines()
            pytest.skip(f"{NEEDS} ({reason[-1] if reason else 'it ended'})")
        yield int(line), process
    finally:
        process.kill()
        process.communicate()

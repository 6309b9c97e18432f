"""A real nginx on this machine, in a folder of the test's own."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from .web_server import PATIENCE_S

# Debian has it where only root's path looks.
PROGRAM = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
CONFIG = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  server {{ listen 127.0.0.1:{port}; {block} }}
}}
"""


@contextmanager
def running_nginx(folder: Path, port: int, block: str) -> Iterator[str]:
    """Nginx with this in its only server block; its address. A skip where it is not installed."""
    if PROGRAM is None:
        pytest.skip("needs nginx: apt install nginx-light")
    folder.mkdir()
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, port=port, block=block))
    process = subprocess.Popen([PROGRAM, "-c", config, "-e", folder / "error.log"])
    url = f"http://127.0.0.1:{port}"
    try:
        end_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                httpx.get(url)
                break
            except httpx.TransportError:
                assert time.monotonic() < end_s, (folder / "error.log").read_text()
                time.sleep(0.02)
        yield url
    finally:
        process.terminate()
        process.wait(PATIENCE_S)

"""Read pictures with a running `edge-mnist serve`, without any package: only Python's own.

python examples/rest_client.py http://127.0.0.1:8000 page.png
"""

import json
import mimetypes
import os
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen


def read_picture(server: str, picture: Path) -> dict:
    """Send one picture; return the server's answer, see GET /docs of the server."""
    headers = {"Content-Type": mimetypes.guess_type(picture)[0] or "application/octet-stream"}
    if token := os.environ.get("EDGE_MNIST_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    request = Request(f"{server.rstrip('/')}/v1/read", picture.read_bytes(), headers)
    with urlopen(request, timeout=30) as response:
        return json.load(response)


def main() -> None:
    """Print the rows of each picture."""
    server, *pictures = sys.argv[1:]
    for picture in pictures:
        try:
            answer = read_picture(server, Path(picture))
        except HTTPError as error:
            sys.exit(f"{picture}: {json.load(error)}")
        print(f"{picture}: {', '.join(answer['rows']) or 'no digits'}")


if __name__ == "__main__":
    main()

"""Options of `serve` and `live --web` about serving: access, host names, and limits on requests."""

import functools
import ipaddress
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..common.terminal.output import LineFormatter
from ..web.protection.tokens import find_token
from ..web.settings import WebLimits, WebSettings
from .options import FiniteRange, option_group

Command = Callable[..., None]


class NetworkType(click.ParamType):
    """An IP address, or a network as 10.0.0.0/8."""

    name = "address"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Normalize the address or network, or fail as misuse."""
        try:
            return str(ipaddress.ip_network(str(value), strict=False))
        except ValueError:
            self.fail(f"{value!r} is not an IP address or network, e.g. 127.0.0.1 or 10.0.0.0/8.", param, ctx)


class PatternType(click.ParamType):
    """Text of one form, which the error message for any other text describes."""

    def __init__(self, name: str, pattern: str, description: str) -> None:
        self.name = name
        self._pattern = re.compile(pattern)
        self._description = description

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the text against the pattern, or fail as misuse."""
        if not self._pattern.fullmatch(str(value)):
            self.fail(f"{value!r} is not valid: expected a {self._description}.", param, ctx)
        return str(value)


HOST = PatternType(
    "host",
    r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?",
    "host, e.g. digits.example or pi:8080",
)
ORIGIN = PatternType(
    "origin", r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?", "site, e.g. https://home.example:8123"
)
ROOT_PATH = PatternType("path", r"(/[A-Za-z0-9._~-]+)+/?", "path, e.g. /digits")

_OPTIONS = (
    click.option("--token-file", type=click.Path(path_type=Path), metavar="FILE",
                 help="File whose first line is the token.  [default: $EDGE_MNIST_TOKEN; if unset, one is "
                 "generated and printed]"),
    click.option("--allow-host", "allow_hosts", type=HOST, multiple=True, metavar="NAME[:PORT]",
                 help="Additional host name that browsers may use for this server, e.g. that of a proxy. Several "
                 "allowed."),
    click.option("--proxy", "proxies", type=NetworkType(), multiple=True, metavar="ADDRESS",
                 help="IP address or network of a proxy whose X-Forwarded-For is trusted, so that limits apply to "
                 "each of its clients. Several allowed."),
    click.option("--root-path", type=ROOT_PATH, metavar="PATH",
                 help="Path under which a proxy serves this page, e.g. /digits.  [default: none]"),
    click.option("--allow-frame", "allow_frames", type=ORIGIN, multiple=True, metavar="ORIGIN",
                 help="Site whose pages may embed this page in a frame, e.g. https://home.example. Several allowed."),
    click.option("--rate", type=FiniteRange(min=0), default=WebLimits.requests_per_s, show_default=True,
                 help="Requests per second allowed for each client address; 0 for no limit."),
    click.option("--report", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
                 help="Benchmark report (HTML) to link from the page."),
    click.option("--access-log", is_flag=True, help="Log each request to standard error."),
)  # fmt: skip


def web_options(command: Command) -> Command:
    """Add the options; the command receives them as one argument, `web_settings`."""

    @functools.wraps(command)
    def gather(**answers: Any) -> None:
        take = answers.pop
        token_file = take("token_file")
        settings = WebSettings(
            token=find_token(token_file) if token_file else None,
            allow_hosts=take("allow_hosts"),
            allow_frames=take("allow_frames"),
            proxies=take("proxies"),
            root_path=(take("root_path") or "").rstrip("/"),
            report=take("report"),
            access_log=take("access_log"),
            limits=WebLimits(requests_per_s=take("rate")),
        )
        if settings.access_log:
            _log_requests()
        command(**answers, web_settings=settings)

    return option_group("Web page", *_OPTIONS)(gather)


def _log_requests() -> None:
    logger = logging.getLogger("edge_mnist.web.access")
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter("%(asctime)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    # `live --verbose` would print them a second time.
    logger.propagate = False

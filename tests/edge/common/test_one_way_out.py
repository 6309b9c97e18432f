"""Everything that is printed goes through the functions that clean it."""

import ast
from collections.abc import Iterator

import pytest

from tests.conftest import REPOSITORY
from tests.system.test_layout import STAGES

# What prints, by its name after imports, and the only files that may use it.
BANNED = {
    "click.echo": {"edge/common/terminal/output.py"},
    "click.secho": set(),
    "click.style": set(),
    "click.progressbar": set(),
    "click.echo_via_pager": set(),
    "click.prompt": set(),
    "click.confirm": set(),
    "print": set(),
    "tqdm.tqdm": {"edge/common/terminal/progress.py"},
    "tabulate.tabulate": {"edge/common/terminal/tables.py"},
    "rich.console.Console": {"edge/common/terminal/console.py"},
    "rich.print": set(),
    "html.escape": {"edge/common/terminal/text.py"},
    "logging.Formatter": {"edge/common/terminal/output.py"},
    "sys.__stdout__": {"edge/common/terminal/streams.py"},
    "sys.__stderr__": {"edge/common/terminal/streams.py"},
    "sys.stdout.buffer": {"benchmarks/remote/driver.py"},
    # Children that nobody sees: whoever started them reads this.
    "sys.stdout.write": {"benchmarks/remote/driver.py", "edge_mnist/cli.py"},
    "sys.stderr.write": {
        "benchmarks/measuring/browser_worker.py",
        "benchmarks/remote/job.py",
        "benchmarks/measuring/stage_times.py",
        "benchmarks/measuring/worker.py",
        "edge/common/processes/child_start.py",
        "edge/common/native_log.py",
    },
}


@pytest.mark.parametrize("stage", STAGES)
def test_everything_printed_goes_through_the_one_way_out(stage: str) -> None:
    found = [
        f"{path.relative_to(REPOSITORY)}:{line}: {name}"
        for path in sorted((REPOSITORY / stage).rglob("*.py"))
        for line, name in _find_uses(ast.parse(path.read_text()))
        if str(path.relative_to(REPOSITORY)) not in BANNED.get(name, {str(path.relative_to(REPOSITORY))})
    ]

    assert found == []


def test_the_rule_knows_every_way_to_name_what_it_bans() -> None:
    code = (
        "import click as c, sys\nfrom tqdm import tqdm as bar\nc.echo(1)\nbar(2)\nprint(3)\nsys.stdout.buffer.write(4)"
    )

    assert {name for _, name in _find_uses(ast.parse(code))} >= {
        "click.echo",
        "tqdm.tqdm",
        "print",
        "sys.stdout.buffer",
    }


def _find_uses(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every name in a module, as its import spells it, with its line."""
    imported: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.asname or alias.name.partition(".")[0]: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            imported |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            head, dot, rest = ast.unparse(node).partition(".")
            yield node.lineno, f"{imported.get(head, head)}{dot}{rest}"

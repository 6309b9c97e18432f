"""Describe what a step would do, and do it."""

import os
import shlex
import stat
import subprocess
from collections.abc import Callable, Iterator

from ..common.errors import EdgeMnistError
from ..common.files import atomic_file
from .machine import Machine
from .setup_steps import Command, Edit, SetupStep

INDENT = "     "


def describe_step(number: int, step: SetupStep, machine: Machine) -> Iterator[str]:
    """Describe a step for people, line by line."""
    is_done = not step.actions and not step.manual_step
    yield f"{number}. {step.title}: {'ok, ' if is_done else ''}{step.found}"
    if step.manual_step:
        yield f"{INDENT}manually: {step.manual_step}"
    for action in step.actions:
        yield f"{INDENT}{_describe(action, machine)}"
    if step.actions and step.undo:
        yield f"{INDENT}(undo: {step.undo})"


def _describe(action: Command | Edit, machine: Machine) -> str:
    if isinstance(action, Edit):
        return f"write into {action.path}: {action.change}"
    source = f" < {action.content_name}" if action.content is not None else ""
    return f"{shlex.join(_words(action, machine))}{source}"


def _words(command: Command, machine: Machine) -> list[str]:
    return [*(["sudo"] if command.as_root and not machine.is_root else []), *command.words]


def perform_step(step: SetupStep, machine: Machine, say: Callable[[str], None]) -> None:
    """Perform the remaining actions of a step, printing each command before it runs; its output is shown as it comes.

    Raises:
        EdgeMnistError: An action failed; those after it were not tried.
    """
    for action in step.actions:
        say(f"$ {_describe(action, machine)}")
        if isinstance(action, Edit):
            _replace(action)
        else:
            _run(action, machine)


def _run(command: Command, machine: Machine) -> None:
    words = _words(command, machine)
    program = machine.which(words[0])
    if program is None:
        raise EdgeMnistError(f"{words[0]} is not installed, but this step needs it: {shlex.join(words)}")
    try:
        process = subprocess.run(  # noqa: S603 - the commands that were shown
            [program, *words[1:]],
            env={**machine.environment, "PATH": machine.search_path},
            input=command.content,
            text=True,
            check=False,
        )
    except OSError as error:
        raise EdgeMnistError(f"{shlex.join(words)}: cannot be started ({error.strerror}).") from error
    if process.returncode:
        raise EdgeMnistError(
            f"{shlex.join(words)}: ended with exit code {process.returncode}. Completed steps are kept; fix the "
            "cause and run pi-setup --yes again to continue."
        )


def _replace(edit: Edit) -> None:
    """Replace a file atomically, keeping its mode and owner."""
    try:
        old = edit.path.stat()
        with atomic_file(edit.path) as new:
            new.write(edit.text.encode())
            os.fchown(new.fileno(), old.st_uid, old.st_gid)
            os.fchmod(new.fileno(), stat.S_IMODE(old.st_mode))
    except OSError as error:
        raise EdgeMnistError(f"{edit.path}: cannot be written ({error.strerror}).") from error

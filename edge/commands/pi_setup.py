"""`edge-mnist pi-setup`: set up a Raspberry Pi's camera in plain steps, first shown, then done on request."""

import click

from ..common.errors import EdgeMnistError
from ..common.terminal.output import echo, echo_lines
from ..doctor.health import check_governor
from ..doctor.machine import USER_NAME, Machine
from ..doctor.perform import describe_step, perform_step
from ..doctor.probes import ProbeEvidence
from ..doctor.service import choose_service, plan_removal, plan_service
from ..doctor.setup_steps import CAMERA_STEPS, SetupStep
from ..doctor.verdicts import CheckVerdict


class UserName(click.ParamType):
    """The name of a user, as useradd takes it."""

    name = "user"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the name, or fail as misuse."""
        if not USER_NAME.fullmatch(str(value)):
            self.fail(f"{value!r} is not a user name: letters, digits, and any of _ . - after the first.", param, ctx)
        return str(value)


@click.command()
@click.option("--yes", is_flag=True, help="Do the steps; otherwise they are only shown.")
@click.option("--service", is_flag=True, help="Also install the systemd service that starts reading at boot.")
@click.option("--user", type=UserName(), metavar="NAME",
              help="User that runs the service; created if missing.  [default: you]")  # fmt: skip
@click.option("--uninstall", is_flag=True, help="Remove the service instead.")
def pi_setup(yes: bool, service: bool, user: str | None, uninstall: bool) -> None:
    """Set up a Raspberry Pi for its camera: packages, this environment, the user's group, optionally a service.

    Checks first, does only the missing steps, and uses sudo only for steps that need it. Run it without sudo, from the
    environment in which edge-mnist is installed; it is safe to run it again.

    \b
    Examples:
      edge-mnist pi-setup                     show the steps
      edge-mnist pi-setup --yes               do them
      edge-mnist pi-setup --service --yes     also start reading at boot, as you
      edge-mnist pi-setup --uninstall --yes   remove the service
    """
    if uninstall and service:
        raise click.UsageError("--uninstall removes the service, --service installs it: give only one of them.")
    if user and not service:
        raise click.UsageError("--user names the user that runs the service: it needs --service.")
    machine = Machine()
    _refuse_others(machine)
    steps = [plan_removal(machine)] if uninstall else [plan(machine) for plan in CAMERA_STEPS]
    if service:
        steps.append(plan_service(machine, choose_service(machine, user)))
    echo_lines([machine.board, ""])
    for number, step in enumerate(steps, 1):
        echo_lines(describe_step(number, step, machine))
    echo()
    if yes:
        _do(steps, machine)
    elif any(step.actions for step in steps):
        echo("Nothing was changed. Run the same command with --yes to do the steps.")
    _advise(check_governor(ProbeEvidence(machine, {})))
    if any(step.manual_step for step in steps):
        raise EdgeMnistError("Some steps must be done manually: see `manually` above.")


def _refuse_others(machine: Machine) -> None:
    """Refuse machines other than a Pi, and sudo in another user's environment."""
    if not machine.is_pi:
        raise EdgeMnistError(
            f"This is not a Raspberry Pi ({machine.board or machine.kernel}), and nothing else needs setup. Check "
            "this machine with: edge-mnist doctor"
        )
    if machine.is_root and machine.environment.get("SUDO_USER"):
        raise EdgeMnistError(
            "Run pi-setup without sudo: it calls sudo where needed, and you remain the owner of the environment."
        )


def _do(steps: list[SetupStep], machine: Machine) -> None:
    for step in steps:
        perform_step(step, machine, echo)
    done = [step for step in steps if step.actions]
    echo("Done." if done else "Everything was already done; nothing was changed.")
    for step in done:
        if step.after:
            echo(step.after)


def _advise(governor: CheckVerdict) -> None:
    if governor.fix:
        echo(f"Advice, not done here: {governor.message}: {governor.fix}")

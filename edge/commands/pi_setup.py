"""`edge-mnist pi-setup`: set up a Raspberry Pi's camera in plain steps, first shown, then done on request."""

import click

from ..common.terminal.output import echo, echo_lines
from ..doctor.health import check_governor
from ..doctor.machine import USER_NAME, Machine
from ..doctor.perform import describe_step, perform
from ..doctor.probes import ProbeEvidence
from ..doctor.service import SetupError, choose_service, plan_removal, plan_service
from ..doctor.setup_steps import CAMERA_STEPS, SetupStep
from ..doctor.verdicts import CheckVerdict


class UserName(click.ParamType):
    """The name of a user, as useradd takes it."""

    name = "user"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the name, or fail as misuse."""
        if not USER_NAME.fullmatch(str(value)):
            self.fail(f"{value!r} is no name of a user: letters, digits, and any of _ . - after the first.", param, ctx)
        return str(value)


@click.command()
@click.option("--yes", is_flag=True, help="Do it; without, only say what would be done.")
@click.option("--service", is_flag=True, help="Also install the systemd service that reads from boot on.")
@click.option("--user", type=UserName(), metavar="NAME",
              help="Who runs the service; made if there is none.  [default: you]")  # fmt: skip
@click.option("--uninstall", is_flag=True, help="Take the service away instead.")
def pi_setup(yes: bool, service: bool, user: str | None, uninstall: bool) -> None:
    """Set up a Raspberry Pi for its camera: packages, this environment, the user's group, on request a service.

    Looks before it changes anything, does only what is left to do, and uses sudo only for steps that need it. Run it
    without sudo, from the environment that edge-mnist is installed in; running it again does no harm.

    \b
    Examples:
      edge-mnist pi-setup                     what would be done
      edge-mnist pi-setup --yes               do it
      edge-mnist pi-setup --service --yes     and read from boot on, as you
      edge-mnist pi-setup --uninstall --yes   take the service away
    """
    if uninstall and service:
        raise click.UsageError("--uninstall takes the service away, --service installs it: give one of them.")
    if user and not service:
        raise click.UsageError("--user says who runs the service: give --service, too.")
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
        echo("Nothing was changed. The same with --yes does it.")
    _advise(check_governor(ProbeEvidence(machine, {})))
    if any(step.by_hand for step in steps):
        raise SetupError("Not all of it can be done from here: see `by hand` above.")


def _refuse_others(machine: Machine) -> None:
    """Refuse machines other than a Pi, and sudo in another user's environment."""
    if not machine.is_pi:
        raise SetupError(
            f"This is no Raspberry Pi ({machine.board or machine.kernel}), and nothing else needs setting up. "
            "See what there is with: edge-mnist doctor"
        )
    if machine.is_root and machine.environment.get("SUDO_USER"):
        raise SetupError("Run pi-setup without sudo: it uses it where it has to, and the environment stays yours.")


def _do(steps: list[SetupStep], machine: Machine) -> None:
    for step in steps:
        perform(step, machine, echo)
    done = [step for step in steps if step.actions]
    echo("Done." if done else "All was done before; nothing was changed.")
    for step in done:
        if step.after:
            echo(step.after)


def _advise(governor: CheckVerdict) -> None:
    if governor.fix:
        echo(f"Advice, not done here: {governor.message}: {governor.fix}")

"""The conditions that two runs must share to be comparable, and the differences between them.

The code and the model files are what is compared; everything else should be the same. Conditions that change all the
time, such as load and temperature, are judged when they are measured, and make a run unstable or invalid.
"""

from ..results.schema import MachineRun, Results
from ..results.wording import format_or_unknown, row_label

# The names of this package, whose version is the subject of a comparison.
OWN_PACKAGE = {"edge-mnist", "edge_mnist"}


def find_differences(first: Results, second: Results) -> list[str]:
    """List the conditions that differ, one phrase each: which, in the first run, in the second."""
    before, after = list_conditions(first), list_conditions(second)
    return [
        f"{name}: {before[name]}, then {after[name]}"
        for name in before
        if name in after and before[name] != after[name]
    ]


def list_conditions(results: Results) -> dict[str, str]:
    """List each condition with its value; those of machines and runtimes are prefixed by their names."""
    settings = results.settings
    conditions = {
        "images": f"{results.evaluated_on} (SHA-256 {results.images_sha256[:12]}…)",
        "threads": ", ".join(map(str, settings.threads)),
        "kind of run": "quick" if settings.is_quick else "full",
    }
    for machine in results.machines:
        conditions |= {f"{what} of {machine.name}": value for what, value in _describe(machine).items()}
    for row in results.rows:
        if row.runtime_version and not row.unavailable:
            machine = results.machines[row.machine].name
            conditions[f"runtime version of {row_label(row)}, {machine}"] = row.runtime_version
    return conditions


def _describe(machine: MachineRun) -> dict[str, str]:
    host = machine.host
    versions = {name: version for name, version in machine.versions.items() if name not in OWN_PACKAGE}
    return {
        "processor": f"{host.model}, {host.machine}",
        "instructions": " ".join(host.flags) or "unknown",
        "cores": str(host.cores),
        "affinity": ", ".join(map(str, machine.affinity)),
        "system": host.system,
        "Python": host.python,
        "governor": format_or_unknown(host.governor),
        "power": {None: "unknown", True: "battery", False: "mains"}[host.on_battery],
        **{f"version of {name}": version for name, version in versions.items()},
    }

"""Conditions: what a machine tells is sampled, what it does not is None, and what changed makes figures doubtful."""

import math
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from scipy import stats

from edge_mnist.benchmarks.measuring.energy import RaplMeter, find_meter, measure_energy, parse_pmic
from edge_mnist.benchmarks.measuring.machine_state import (
    MachineMonitor,
    list_affinity,
    read_frequencies,
    read_temperature,
    read_throttled,
)
from edge_mnist.benchmarks.measuring.validity import judge_machine, judge_row, usual_frequency
from edge_mnist.benchmarks.results.schema import Latency, Sample
from edge_mnist.benchmarks.targets.job import Measurement
from edge_mnist.edge.common.machine import describe_host

MEASUREMENT = Measurement(
    runtime_version="1",
    file_sha256="",
    load_ms=1,
    first_ms=1,
    peak_memory_mb=1,
    warmup_s=0.3,
    steady=True,
    latencies_us=[100.0],
)


def write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


def make_latency(half_width: float = 0.01) -> Latency:
    """Latencies of five processes, with a median that is known to this share of it."""
    spread = math.asinh(half_width) / (float(stats.t.ppf(0.975, 4)) * math.sqrt(0.625 / 5))
    return Latency(
        batch=1,
        p50=100.0,
        p90=110,
        p99=120,
        p999=130,
        max=140,
        images_per_second=9000,
        rounds=[[100.0 * math.exp(at * spread)] for at in (-1, -0.5, 0, 0.5, 1)],
    )


def make_samples(**changes: Any) -> list[Sample]:
    """Five samples of a quiet machine; the changes are of the third one."""
    usual = {"frequency_mhz": [800.0, 2400.0], "temperature_c": 50.0, "throttled": 0, "busy_elsewhere": 0.01}
    return [Sample(at_s=float(i), **(usual | changes if i == 2 else usual)) for i in range(5)]


def test_a_machine_that_tells_nothing_is_sampled_without_inventing(tmp_path: Path) -> None:
    watch = MachineMonitor(tmp_path)
    watch.sample()
    sample = watch.sample()

    assert sample == Sample(at_s=sample.at_s)


def test_a_virtual_machine_says_that_it_is_one_and_not_how_fast_it_is(tmp_path: Path) -> None:
    cpuinfo = "model name\t: Some Processor\ncpu MHz\t\t: 2400.0\nflags\t\t: fpu avx2 hypervisor avx512_vnni\n"
    write(tmp_path, {"proc/cpuinfo": cpuinfo})

    host = describe_host(tmp_path)

    assert (host.is_virtual, host.flags) == (True, ("avx2", "avx512_vnni"))
    assert read_frequencies(tmp_path) is None


@pytest.mark.parametrize(
    ("files", "on_battery"),
    [({}, None), ({"AC/type": "Mains", "AC/online": "1"}, False), ({"AC/type": "Mains", "AC/online": "0"}, True)],
)
def test_a_laptop_says_what_it_runs_on(tmp_path: Path, files: dict[str, str], on_battery: bool | None) -> None:
    write(tmp_path, {f"sys/class/power_supply/{name}": content for name, content in files.items()})

    assert describe_host(tmp_path).on_battery is on_battery


def test_what_a_machine_tells_is_sampled(tmp_path: Path) -> None:
    cpu = f"sys/devices/system/cpu/cpu{list_affinity()[0]}"
    write(
        tmp_path,
        {
            f"{cpu}/cpufreq/scaling_cur_freq": "1800000\n",
            f"{cpu}/thermal_throttle/core_throttle_count": "3\n",
            "sys/class/thermal/thermal_zone0/temp": "48000\n",
            "sys/class/thermal/thermal_zone1/temp": "61500\n",
            "proc/loadavg": "0.52 0.58 0.59 1/257 1234",
            "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
            "sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
        },
    )

    sample = MachineMonitor(tmp_path).sample()

    assert (sample.frequency_mhz, sample.temperature_c) == ([1800.0], 61.5)
    assert (sample.throttle_count, sample.throttled, sample.load_1m) == (3, 0x50005, 0.52)
    assert read_temperature(tmp_path / "nowhere") is read_throttled(tmp_path / "nowhere") is None


def test_the_time_of_other_processes_is_told_from_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = iter([10.0, 16.0])
    monkeypatch.setattr(
        "edge_mnist.benchmarks.measuring.machine_state.os.times",
        lambda: type("Times", (), {"user": next(ours), "system": 0, "children_user": 0, "children_system": 0}),
    )
    monkeypatch.setattr("edge_mnist.benchmarks.measuring.machine_state.os.sysconf", lambda _name: 100)
    watch = MachineMonitor(tmp_path)

    # user nice system idle iowait irq softirq steal, in hundredths of a second: 20 s of two processors, 9 s busy.
    write(tmp_path, {"proc/stat": "cpu 1000 0 100 5000 0 0 0 0 0 0\n"})
    first = watch.sample()
    write(tmp_path, {"proc/stat": "cpu 1700 0 200 6000 100 0 0 100 0 0\n"})
    second = watch.sample()

    assert first.busy_elsewhere is None
    assert second.busy_elsewhere == pytest.approx((9 - 6) / 20)


def test_nobody_tells_what_others_did_while_processes_ran_that_are_never_counted_as_ours(tmp_path: Path) -> None:
    write(tmp_path, {"proc/stat": "cpu 1000 0 100 5000 0 0 0 0 0 0\n"})
    watch = MachineMonitor(tmp_path)
    watch.sample()
    write(tmp_path, {"proc/stat": "cpu 1700 0 200 6000 100 0 0 100 0 0\n"})

    assert watch.sample(ours_known=False).busy_elsewhere is None


def test_a_quiet_run_is_valid() -> None:
    samples = make_samples()

    verdict = judge_row(make_latency(), [MEASUREMENT] * 5, samples, usual_frequency(samples))

    assert (verdict.validity, verdict.reasons) == ("valid", ())
    assert judge_machine(samples, ["valid"]).validity == "valid"


def test_what_nobody_tells_is_not_held_against_it() -> None:
    samples = [Sample(at_s=float(i)) for i in range(5)]

    assert usual_frequency(samples) is None
    assert judge_row(make_latency(), [MEASUREMENT] * 5, samples, None).validity == "valid"


@pytest.mark.parametrize(
    ("changes", "validity", "reason"),
    [
        ({"throttled": 0b0001}, "invalid", "under-voltage while it measured"),
        ({"throttled": 0b0100}, "invalid", "throttled while it measured"),
        ({"temperature_c": 84.0}, "unstable", "it reached 84 °C, and processors throttle from 80 °C on"),
        ({"busy_elsewhere": 0.3}, "unstable", "other processes took up to 30 % of all processors' time"),
        ({"frequency_mhz": [800.0, 1500.0]}, "unstable", "the processor ran at 1500 MHz, in most of the run at 2400"),
    ],
    ids=["voltage", "throttled", "hot", "busy", "frequency"],
)
def test_what_changed_is_said_and_marks_the_row(changes: dict[str, Any], validity: str, reason: str) -> None:
    samples = make_samples(**changes)

    verdict = judge_row(make_latency(), [MEASUREMENT] * 5, samples, usual_frequency(samples))

    assert (verdict.validity, verdict.reasons) == (validity, (reason,))


def test_a_processor_at_rest_is_no_slower_one() -> None:
    # One of them sleeps; the one that works is as fast as ever.
    samples = make_samples(frequency_mhz=[2400.0, 400.0])

    assert judge_row(make_latency(), [MEASUREMENT] * 5, samples, usual_frequency(samples)).validity == "valid"


def test_processes_that_differ_or_never_settle_are_said() -> None:
    restless = replace(MEASUREMENT, warmup_s=2, steady=False, latencies_us=[1.0])

    verdict = judge_row(make_latency(0.25), [MEASUREMENT, restless], make_samples(), None)

    assert verdict.validity == "unstable"
    assert verdict.reasons == (
        "latencies were not steady after warming up in 1 of 2",
        "processes differ: the median is only known to ±25 %",
    )


def test_a_clock_with_coarse_steps_is_said() -> None:
    coarse = replace(MEASUREMENT, clock_resolution_us=100.0)

    verdict = judge_row(make_latency(), [coarse] * 5, make_samples(), None)

    assert verdict.reasons == ("its clock has steps of 100 us, which limits the quantiles",)


def test_throttling_between_two_looks_is_seen() -> None:
    # Nothing now, but since the start, at the third look: it was between the second and that.
    samples = [Sample(at_s=float(i), throttled=0 if i < 2 else 0x40000) for i in range(5)]
    earlier = [Sample(at_s=float(i), throttled=0x40000) for i in range(5)]

    assert judge_machine(samples, ["valid"]).reasons == ("throttled for a moment while it measured",)
    assert judge_machine(earlier, ["valid"]).validity == "valid"


def test_processors_slowed_for_their_heat_make_a_run_invalid() -> None:
    samples = [Sample(at_s=float(i), throttle_count=7 + i) for i in range(3)]

    assert judge_machine(samples, []).reasons == ("processors were throttled by heat 2 times",)


def test_a_run_is_as_good_as_its_worst_row() -> None:
    verdict = judge_machine([], ["valid", "unstable", "invalid", "unstable"])

    assert verdict.validity == "invalid"
    assert verdict.reasons == ("2 of 4 rows are unstable", "1 of 4 rows is invalid")


def test_packages_are_added_up_and_wrap_around(tmp_path: Path) -> None:
    zones = {"intel-rapl:0": ("package-0", 900), "intel-rapl:1": ("package-1", 100), "intel-rapl:2": ("psys", 0)}
    for zone, (name, energy) in zones.items():
        folder = f"sys/class/powercap/{zone}"
        write(
            tmp_path,
            {f"{folder}/name": name, f"{folder}/energy_uj": str(energy), f"{folder}/max_energy_range_uj": "1000"},
        )
    write(tmp_path, {"sys/class/powercap/intel-rapl:0:0/name": "core"})

    meter = find_meter(tmp_path)
    assert isinstance(meter, RaplMeter)
    meter.start()
    write(tmp_path, {"sys/class/powercap/intel-rapl:0/energy_uj": "50"})
    write(tmp_path, {"sys/class/powercap/intel-rapl:1/energy_uj": "300"})

    assert meter.stop() == pytest.approx((150 + 200) / 1e6)


def test_a_counter_that_is_kept_from_us_is_none(tmp_path: Path) -> None:
    write(tmp_path, {"sys/class/powercap/intel-rapl:0/name": "package-0"})

    assert find_meter(tmp_path) is None


PMIC = """  3V7_WL_SW_A current(0)=0.10000000A
   VDD_CORE_A current(7)=2.00000000A
  3V7_WL_SW_V volt(8)=3.70000000V
   VDD_CORE_V volt(15)=0.90000000V
      BATT_V volt(25)=0.00781250V
"""


def test_the_power_chip_of_a_pi_is_read(tmp_path: Path) -> None:
    write(tmp_path, {"proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0"})

    meter = find_meter(tmp_path, lambda: PMIC)

    assert parse_pmic(PMIC) == pytest.approx(0.37 + 1.8)
    assert parse_pmic('error=1 error_msg="Command not registered"') is None
    assert meter is not None
    calls: list[None] = []
    millijoules = measure_energy(lambda: calls.append(None), meter, seconds=0.2)
    # At 2.17 W for at least as long as that, spread over so many calls.
    assert millijoules is not None
    assert millijoules * len(calls) / 1000 >= 0.999 * 2.17 * 0.2
    assert find_meter(tmp_path, lambda: None) is None

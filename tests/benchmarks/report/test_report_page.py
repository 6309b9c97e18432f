"""A benchmark's page: it says what the results hold and what they do not, on any screen, and asks nobody."""

import json
import re
from typing import Any

import msgspec
import numpy as np
import pytest

from edge_mnist.benchmarks.report.accuracy_section import MOST_SHOWN
from edge_mnist.benchmarks.report.cost_section import draw_costs
from edge_mnist.benchmarks.report.glossary import GLOSSARY
from edge_mnist.benchmarks.report.latency_section import HEAD
from edge_mnist.benchmarks.report.page import format_page
from edge_mnist.benchmarks.report.report import describe_conditions, format_report
from edge_mnist.benchmarks.report.summary import summarize_run
from edge_mnist.benchmarks.report.tables import format_tables
from edge_mnist.benchmarks.results.findings import group_alike, mark_front, measure_ratio
from edge_mnist.benchmarks.results.schema import Results
from edge_mnist.benchmarks.results.wording import FEWEST_COMPARED, format_us
from tests.builders.benchmark_results import (
    COUNT,
    INT8,
    INT8_ONNX,
    MISSING,
    PEER,
    make_accuracy,
    make_images,
    make_latency,
    make_machine,
    make_results,
    make_row,
    replace_row,
)
from tests.builders.parsed_page import ParsedPage, check_self_contained

HOSTILE = """<script>alert('"&')</script>"""


def _format(results: Results, with_images: bool = True) -> str:
    images = make_images() if with_images else None
    return format_page(results, images, describe_conditions(results))


@pytest.fixture(scope="module")
def results() -> Results:
    return make_results()


@pytest.fixture(scope="module")
def content(results: Results) -> str:
    return _format(results)


@pytest.fixture(scope="module")
def parsed(content: str) -> ParsedPage:
    return ParsedPage(content)


def test_the_page_takes_nothing_from_elsewhere_and_every_link_leads_somewhere(content: str) -> None:
    check_self_contained(content)


def test_the_same_results_give_the_same_page(results: Results, content: str) -> None:
    assert _format(results) == content


def test_every_raw_value_that_the_page_links_to_is_in_the_json(results: Results, content: str) -> None:
    document = json.loads(msgspec.json.encode(results))
    paths = set(re.findall(r"(?:rows|machines|budgets)\[\d+\][\w.\[\]]*", content))

    values = [_follow(document, path) for path in paths]

    assert len(paths) > 6 * 5
    # Float files lost nothing against themselves, and a peer has no such list.
    assert all(values[i] not in (None, {}) for i, _ in enumerate(paths))
    for place, row in enumerate(results.rows):
        assert (f"rows[{place}].latency.rounds" in paths) == (row.latency is not None)


def _follow(document: Any, path: str) -> Any:
    for part in re.findall(r"\w+", path):
        document = document[int(part)] if part.isdigit() else document[part]
    return document


def test_the_table_of_latencies_has_every_quantile(results: Results, parsed: ParsedPage) -> None:
    table = parsed.tables["Latency: how long a call takes"]
    lines = {line[0]: line for line in table[1 : 1 + sum(row.latency is not None for row in results.rows)]}

    assert table[0] == HEAD
    for place, row in enumerate(results.rows):
        if row.latency:
            low, high = row.latency.p50_interval
            assert lines[str(place)][1:3] == [row.file, row.runtime + (", no delegate" if place == 2 else "")]
            assert lines[str(place)][3] == f"{format_us(row.latency.p50)} | {format_us(low)} to {format_us(high)}"
            quantiles = [row.latency.p90, row.latency.p99, row.latency.p999, row.latency.max]
            assert lines[str(place)][4:8] == [format_us(value) for value in quantiles]


def test_the_table_of_accuracies_has_intervals_and_drops(results: Results, parsed: ParsedPage) -> None:
    lines = {tuple(line[:2]): line for line in parsed.tables[f"Accuracy on {COUNT:,} images"] if len(line) == 10}

    int8, onnx = lines["toy-int8.tflite", "litert"], lines["toy-int8.onnx", "onnxruntime"]
    accuracy = results.rows[INT8].accuracy
    assert accuracy is not None
    low, high = accuracy.interval
    assert int8[2] == f"99.50 | {100 * low:.2f} to {100 * high:.2f}"
    assert int8[4].startswith("+0.05 | ")
    assert int8[5:8] == ["2 / 1", "1", "no measurable difference"]
    assert onnx[5] == "21 / 0"
    assert onnx[7] == "1.05 points less accurate"


def test_a_peer_is_compared_with_ours_on_as_many_threads(results: Results) -> None:
    random = np.random.default_rng(1)
    faster = msgspec.structs.replace(results, rows=[*results.rows, make_row("toy-int8.tflite", random, 0.5, threads=2)])

    (sentence,) = [one for one in summarize_run(faster) if one.startswith("Peer")]

    assert "98.30 % accurate, 1.20 points less than toy-int8.tflite on litert (p < 0.0001)" in sentence
    assert sentence.endswith("time compared with it: 10.0 times as fast.")


def test_a_peer_that_is_as_accurate_is_said_to_be(results: Results) -> None:
    alike = replace_row(results, PEER, accuracy=make_accuracy([7, 8, 9, 10, 11, 12, 13, 14]))

    (sentence,) = [one for one in summarize_run(alike) if one.startswith("Peer")]

    assert "no measurable difference from toy-int8.tflite on litert" in sentence


def test_every_drawn_row_has_its_number_even_if_marks_hide_each_other(results: Results) -> None:
    twin = replace_row(results, 3, latency=results.rows[0].latency, accuracy=results.rows[0].accuracy)

    (machine,) = draw_costs(twin)

    for figure, each in zip(machine.charts, (lambda row: (row.file, row.runtime), lambda row: row.file), strict=True):
        numbers = re.findall(r'<a [^>]*href="#raw-(\d+)">\s*<text[^>]*>(\d+)</text>', figure.chart)
        drawn = [twin.rows[int(number)] for _, number in numbers]
        assert all(place == number for place, number in numbers)
        assert sorted(map(each, drawn)) == sorted({each(row) for row in twin.rows if row.latency and row.accuracy})


def test_plots_have_units_and_numbers_of_values(parsed: ParsedPage) -> None:
    assert "microseconds a call at batch 1, logarithmic" in parsed.text
    assert "n = 1,000 calls of 5 processes" in parsed.text
    assert f"accuracy, %, n = {COUNT:,}" in parsed.text
    assert "seconds since the start, n = 31" in parsed.text


def test_the_front_is_what_nothing_else_beats(results: Results, parsed: ParsedPage) -> None:
    rows = [(place, row) for place, row in enumerate(results.rows) if row.latency]
    lines = parsed.tables["Accuracy, latency and size"][1:]

    # The int8 file without its delegate is only slower; int8 ONNX is slower, larger and worse than int8 TFLite.
    assert mark_front(rows) == {0, 1, 3, PEER}
    assert {int(line[0]) for line in lines if line[1] == "★"} == {0, 1, 3, PEER}


def test_an_invalid_row_is_marked_with_its_reason_and_beats_nothing(results: Results) -> None:
    invalid = replace_row(results, PEER, validity="invalid", reasons=["it was throttled"])

    text = ParsedPage(_format(invalid)).text

    assert "invalidit was throttled" in text
    assert "peer.tflite on litert is invalid: it was throttled." in text
    assert "not judged: invalid" in text
    assert PEER not in mark_front((place, row) for place, row in enumerate(invalid.rows))


def test_a_doubtful_machine_is_the_first_thing_said(results: Results) -> None:
    machine = make_machine(validity="unstable", reasons=["other processes took up to 40 % of all processors' time"])

    doubtful = ParsedPage(_format(msgspec.structs.replace(results, machines=[machine])))

    reason = "Latencies of this machine are unstable: other processes took up to 40 %"
    assert doubtful.text.index(reason) < doubtful.text.index("168,874 parameters")


def test_a_quick_run_says_so_everywhere(results: Results) -> None:
    quick = msgspec.structs.replace(results, settings=msgspec.structs.replace(results.settings, is_quick=True))

    assert "Quick run" in ParsedPage(_format(quick)).text
    assert "Quick run" in format_report(quick)
    assert summarize_run(quick)[0].startswith("Quick run")
    assert "Quick run" not in format_report(results)


def test_what_was_not_measured_is_there_with_its_reason(results: Results) -> None:
    silent = replace_row(results, 0, latency=None, bare=None, paced=None, batches=[])
    silent = msgspec.structs.replace(silent, unreachable={"pi@shed": "pi@shed: the host key is not known."})

    lines = ParsedPage(_format(silent)).tables["Not measured"]

    assert ["toy-int8.tflite", "tflite-runtime", "this machine", "not installed: pip install tflite-runtime"] in lines
    assert [line[3] for line in lines if line[0] == "toy-float32.tflite"] == [
        "checked for correctness only; its latency is not shown"
    ]
    assert ["", "", "pi@shed", "pi@shed: the host key is not known."] in lines
    assert "not installed: pip install tflite-runtime" in format_tables(silent, "github")


def test_no_raspberry_pi_is_there_that_was_not_measured(content: str) -> None:
    assert "Raspberry" not in content


def test_a_raspberry_pi_that_was_measured_has_its_own_plots(results: Results) -> None:
    random = np.random.default_rng(3)
    host = msgspec.structs.replace(results.machines[0].host, model="Raspberry Pi 5 Model B Rev 1.0")
    both = msgspec.structs.replace(
        results,
        machines=[*results.machines, make_machine("pi@shed", host=host)],
        rows=[*results.rows, make_row("toy-int8.tflite", random, 9.0, machine=1)],
    )

    text = ParsedPage(check_text := _format(both)).text

    check_self_contained(check_text)
    assert text.count("pi@shed: Raspberry Pi 5 Model B Rev 1.0") == 4
    # Nothing of one machine is compared with another's.
    assert "Beside toy-int8.tflite on litert, the fastest of ours" in text
    assert len(re.findall(r"toy-int8.tflite on litert, no delegate\s+n = ", text)) == 2


def test_the_sheet_shows_every_changed_digit_as_it_is(results: Results, parsed: ParsedPage) -> None:
    images, pictures = make_images(), parsed.pictures()
    changed = [place for group in group_alike(results) for place in (*group.accuracy.lost, *group.accuracy.gained)]

    assert len(pictures) == len(changed) == 24
    for picture, place in zip(pictures, changed, strict=True):
        np.testing.assert_array_equal(255 - picture, images.pixels[place, :, :, 0])
    assert "toy-int8.tflite on litert: 2 lost (read right by float32 and not by this file), 1 gained." in parsed.text
    assert "a 4, read as 5 image 344" in parsed.text


def test_a_sheet_of_a_broken_file_has_an_end(results: Results) -> None:
    accuracy = results.rows[INT8_ONNX].accuracy
    assert accuracy is not None
    broken = replace_row(results, INT8_ONNX, accuracy=msgspec.structs.replace(accuracy, lost=list(range(500))))

    parsed = ParsedPage(_format(broken))

    assert len(parsed.pictures()) == 3 + MOST_SHOWN
    assert f"The first {MOST_SHOWN} are shown." in parsed.text


def test_without_images_the_sheet_has_their_places(results: Results) -> None:
    parsed = ParsedPage(_format(results, with_images=False))

    assert parsed.pictures() == []
    assert "Lost: 344, 1777. Gained: 11." in parsed.text


def test_nothing_changed_is_a_sentence(results: Results) -> None:
    same = msgspec.structs.replace(results, rows=[results.rows[0], results.rows[3]])

    assert "No file reads an image otherwise than float32 does" in ParsedPage(_format(same)).text


def test_digits_and_confusions_are_those_of_the_results(results: Results, parsed: ParsedPage) -> None:
    table = parsed.tables["Digit by digit"]
    accuracy = results.rows[INT8_ONNX].accuracy
    assert accuracy is not None

    digits = next(line for line in table if line[0] == "toy-int8.onnx" and len(line) == 12)

    assert [cell.partition(" |")[0] for cell in digits[2:]] == [
        f"{100 * line[digit] / sum(line):.1f}" for digit, line in enumerate(accuracy.confusion)
    ]
    grids = [line[1:] for line in table if len(line) == 11 and line[0] in set("0123456789")]
    shown = [[int(re.sub(r"\D", "", cell) or 0) for cell in line] for line in grids[30:40]]
    assert shown == accuracy.confusion


def test_what_a_machine_does_not_tell_is_said(results: Results) -> None:
    samples = [msgspec.structs.replace(one, temperature_c=None, throttled=None) for one in results.machines[0].samples]
    silent = ParsedPage(_format(msgspec.structs.replace(results, machines=[make_machine(samples=samples)])))

    assert "This machine does not report: temperature, slowed for heat." in silent.text
    assert "Throttling: not reported by this machine." in silent.text


def test_text_is_text_whatever_it_looks_like(results: Results) -> None:
    hostile = msgspec.structs.replace(
        results,
        evaluated_on=HOSTILE,
        machines=[make_machine(HOSTILE, reasons=[HOSTILE], versions={HOSTILE: HOSTILE})],
    )
    for place in (INT8, PEER):
        hostile = replace_row(hostile, place, file=HOSTILE, runtime=HOSTILE, reasons=[HOSTILE], validity="unstable")
    hostile = replace_row(hostile, MISSING, unavailable=HOSTILE)

    changed = ParsedPage(_format(hostile))

    assert "script" not in [tag for tag, _ in changed.tags]
    assert changed.text.count(HOSTILE) > 30


def test_our_layer_is_a_row_with_its_interval(results: Results, parsed: ParsedPage) -> None:
    row = results.rows[INT8]
    ratio = measure_ratio(row.bare, row.latency)

    assert ratio is not None
    low, high = (100 * (bound - 1) for bound in ratio.interval)
    assert f"{100 * (ratio.value - 1):+.1f} %; 95 %: {low:+.1f} to {high:+.1f}" in parsed.text
    assert low < 100 * (1 / 0.96 - 1) < high


def test_a_coarse_clock_is_told(results: Results, parsed: ParsedPage) -> None:
    coarse = ParsedPage(_format(replace_row(results, INT8, clock_resolution_us=5.0)))

    assert "timed by a clock that steps by 5 us" in coarse.text
    assert "timed by a clock" not in parsed.text


def test_too_few_processes_are_called_so(results: Results) -> None:
    random = np.random.default_rng(5)
    few = replace_row(results, PEER, latency=make_latency(11.8, random, processes=3))

    assert f"too few processes to tell (3, it takes {FEWEST_COMPARED} of each)" in ParsedPage(_format(few)).text


@pytest.mark.parametrize(
    "word", ["p50", "p99.9", "drop", "lost", "peer", "hill", "unstable", "delegate", "front", "layer", "quick", "mJ"]
)
def test_words_are_explained(word: str, parsed: ParsedPage) -> None:
    assert any(word in term for term in GLOSSARY)
    assert all(term in parsed.text and meaning in parsed.text for term, meaning in GLOSSARY.items())


def test_markdown_is_short_and_says_what_the_page_says(results: Results, parsed: ParsedPage) -> None:
    report = format_report(results)

    assert len(report.splitlines()) < 60
    for sentence in summarize_run(results):
        assert sentence in report
        assert sentence in parsed.text

"""Whatever is in a file, the command answers with a reading or a sentence, soon, and in little memory.

`python -m tests.long.fuzz_run` does the same with as many files as one likes.
"""

from pathlib import Path

from edge_mnist.edge.media.sources import SourceFrame, find_sources, read_all
from edge_mnist.edge.media.videos import Spacing
from tests.builders.fuzz_pictures import make_case, make_originals
from tests.long.fuzz_run import fuzz

COUNT = 300


def test_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    findings = fuzz(COUNT, seed=0, kept=tmp_path)

    assert findings.failures == []
    assert findings.read > COUNT / 10, "some damage is survived"
    assert findings.refused > COUNT / 2, "most is noticed"


def test_the_same_seed_makes_the_same_files() -> None:
    assert [make_case(1, number) for number in range(50)] == [make_case(1, number) for number in range(50)]
    assert len({make_case(seed, 0) for seed in range(50)}) > 40


def test_whole_files_of_every_kind_are_read(tmp_path: Path) -> None:
    for number, (suffix, content) in enumerate(make_originals()):
        (tmp_path / f"{number}{suffix}").write_bytes(content)

    outcomes = [frame for _, frame in read_all(find_sources((str(tmp_path),), Spacing()))]

    assert [outcome for outcome in outcomes if not isinstance(outcome, SourceFrame)] == []
    assert len({outcome.source for outcome in outcomes}) == len(make_originals())

"""The table of files that hospitals have: every goal of it, with the files of installed packages and of generators."""

from collections import Counter
from pathlib import Path

import pytest

from benchmarks.files_of_the_world import READ, REFUSED, outcome, table
from models.errors import FormatError


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_no_file_is_read_wrongly_and_none_is_a_traceback(tmp_path: Path) -> None:
    results = table([], tmp_path)
    for name, rows in results.items():
        strange = [row for row in rows if row[1] not in (READ, REFUSED)]
        assert strange == [], name
    counts = {name: Counter(result for _, result, _ in rows) for name, rows in results.items()}
    assert counts["tables"][READ] >= 60
    assert counts["wfdb"][READ] == 7
    assert counts["encodings"][REFUSED] == 0
    assert sum(counts["pydicom"].values()) > 150


def test_an_outcome_is_one_of_four() -> None:
    def refusing() -> bool:
        raise FormatError("no")

    assert [outcome(read)[0] for read in (lambda: True, lambda: False, refusing, lambda: bool(1 / 0))] == [
        "read",
        "wrong",
        "refused",
        "traceback",
    ]

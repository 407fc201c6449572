"""The hash-chained log."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from federated.trust.journal import Journal, JournalError


def written(path: Path, lines: int = 3) -> Journal:
    journal = Journal(path / "journal.jsonl")
    for number in range(lines):
        journal.write("thing", number=number)
    return journal


def test_lines_come_back_in_order(tmp_path: Path) -> None:
    assert [line["number"] for line in written(tmp_path).lines()] == [0, 1, 2]
    assert list(Journal(tmp_path / "none" / "journal.jsonl").lines()) == []


@pytest.mark.parametrize("line", [0, 1, 2])
def test_a_changed_line_is_noticed(tmp_path: Path, line: int) -> None:
    journal = written(tmp_path)
    rows = [json.loads(row) for row in journal.path.read_text().splitlines()]
    rows[line]["number"] = 9
    journal.path.write_text("\n".join(json.dumps(row, sort_keys=True) for row in rows) + "\n")
    with pytest.raises(JournalError, match=f"line {line + 1} "):
        list(journal.lines())


@pytest.mark.parametrize("line", [0, 1])
def test_a_removed_line_is_noticed(tmp_path: Path, line: int) -> None:
    journal = written(tmp_path)
    rows = journal.path.read_text().splitlines()
    del rows[line]
    journal.path.write_text("\n".join(rows) + "\n")
    with pytest.raises(JournalError, match=f"line {line + 1} does not continue"):
        list(journal.lines())


def test_a_line_that_is_none_is_named(tmp_path: Path) -> None:
    journal = written(tmp_path, 1)
    journal.path.write_text(journal.path.read_text() + "[]\n")
    with pytest.raises(JournalError, match="line 2 is no entry"):
        list(journal.lines())


def test_two_processes_write_one_chain(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from federated.trust.journal import Journal\n"
        "for n in range(50): Journal(Path(sys.argv[1])).write('x', n=n)"
    )
    line = [sys.executable, "-c", code, str(tmp_path / "journal.jsonl")]
    processes = [subprocess.Popen(line) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert len(list(Journal(tmp_path / "journal.jsonl").lines())) == 100

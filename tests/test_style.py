"""What tests must not do."""

import ast
from pathlib import Path

TESTS = Path(__file__).parent


def test_no_assertion_leans_on_or() -> None:
    """`assert a or b` passes for a reason that nobody looks at: say which of the two holds."""
    found = [
        f"{path.relative_to(TESTS)}:{node.lineno}"
        for path in sorted(TESTS.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assert) and isinstance(node.test, ast.BoolOp) and isinstance(node.test.op, ast.Or)
    ]
    assert not found

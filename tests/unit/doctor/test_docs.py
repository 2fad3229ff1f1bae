"""`docs/doctor.md` explains every check, and the tests show each at its worst level."""

import re
from pathlib import Path

from preference_center.doctor.report import CHECKS
from tests.unit.doctor.test_check import BROKEN

DOC = (Path(__file__).parents[3] / "docs" / "doctor.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `([a-z-]+)` \| .* \| (warning|failure) \|$", DOC, re.MULTILINE))
SHOWN_ELSEWHERE = {"message-size", "characters", "provider", "topics-apart"}


def test_the_docs_explain_exactly_the_checks_in_order() -> None:
    assert list(ROWS) == list(CHECKS)


def test_every_check_is_tested_at_its_documented_level() -> None:
    seen = {each for _, _, found in BROKEN for each in found.items()}
    missing = {check for check, level in ROWS.items() if (check, level) not in seen}
    assert {check for check in missing if "probe" not in check} == SHOWN_ELSEWHERE

"""Allow one email to each person, however many rows of a request are about them."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeGuard

from preference_center.core.vocab import Decision, DecisionReason
from preference_center.data.tabular import RefusedRow

# The cells that are added to a row: `email`, `id`, the verdict's and, if allowed, the links.
Answer = Mapping[str, str]
_DUPLICATE = {"verdict": Decision.DENY, "reason": DecisionReason.DUPLICATE}


class AllowedIds:
    """The subscriber ids that a request has allowed so far, in a temporary file of SQLite."""

    def __init__(self) -> None:
        # A server may begin a response in one thread, and go on with it in another.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE allowed (id TEXT PRIMARY KEY) WITHOUT ROWID")
        self._database.execute("BEGIN")

    def among(self, ids: Sequence[str]) -> set[str]:
        """Return those of `ids` that were added."""
        marks = ", ".join("?" * len(ids))
        query = f"SELECT id FROM allowed WHERE id IN ({marks})"  # noqa: S608 (question marks only)
        return {found for (found,) in self._database.execute(query, ids)}

    def add(self, ids: Iterable[str]) -> None:
        """Add ids that were not added before."""
        self._database.executemany("INSERT INTO allowed VALUES (?)", ((each,) for each in ids))

    def close(self) -> None:
        """Close and delete the file."""
        self._database.close()


def once(
    found: Sequence[Answer | RefusedRow], allowed: AllowedIds
) -> Iterator[Answer | RefusedRow]:
    """Yield each answer, or another if an earlier row about the same person is allowed."""
    asked = [each["id"] for each in found if _is_allowed(each)]
    known, new = allowed.among(asked), set[str]()
    for each in found:
        if not _is_allowed(each):
            yield each
        elif each["id"] in known or each["id"] in new:
            yield {"email": each["email"], "id": each["id"], "until": "", **_DUPLICATE}
        else:
            new.add(each["id"])
            yield each
    allowed.add(new)


def _is_allowed(answer: Answer | RefusedRow) -> TypeGuard[Answer]:
    return not isinstance(answer, RefusedRow) and answer["verdict"] == Decision.ALLOW

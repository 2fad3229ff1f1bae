"""Run a preview or an import of the console, and say what it found."""

import re
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from preference_center.core.console_jobs.work import LeasedJob
from preference_center.core.staff_vocab import JobFile, JobKind
from preference_center.data.import_file import ImportFile, open_import
from preference_center.data.import_preview import Preview
from preference_center.data.imports import Import
from preference_center.data.jobs import stored
from preference_center.data.jobs.options import ImportOptions
from preference_center.data.refused_rows import becomes_archive, copying
from preference_center.data.tabular import RefusedRow, Row
from preference_center.store import Database

COUNTS = ("added", "unsubscribed", "erased", "known", "kept", "unchanged", "refused")
MAX_LISTED = 20  # different reasons
MAX_PLACES = 3  # rows that are named for a reason
_MAX_WORD = 100  # characters of a word of the file that a page offers to map
_MAX_NAME, _MAX_SUFFIX = 200, 10  # bytes of a name, characters of its suffix
# A match begins where a word begins, so that a long word without an address is read once.
_ADDRESS = re.compile(r"(?<![^\s,;:'\"<>()])[^\s,;:'\"<>()@]*+@[^\s,;:'\"<>()]+")


@dataclass
class _Reasons:
    """How many rows there are for a reason, and the first of them: a part and a line."""

    counts: Counter[str] = field(default_factory=Counter)
    places: dict[str, list[tuple[str, int]]] = field(default_factory=dict)

    def add(self, why: str, part: str, line: int) -> None:
        """Count a row. Reasons beyond MAX_LISTED are left out."""
        why = without_addresses(why)
        if why not in self.counts and len(self.counts) == MAX_LISTED:
            return
        self.counts[why] += 1
        places = self.places.setdefault(why, [])
        if len(places) < MAX_PLACES:
            places.append((part, line))

    def listed(self) -> list[tuple[str, int, list[tuple[str, int]]]]:
        """Return each reason with its count and its first places, the most common first."""
        return [(why, count, self.places[why]) for why, count in self.counts.most_common()]


def run(
    database: Database,
    identity_key: str,
    leased: LeasedJob,
    refused: Path,
    clock: Callable[[], datetime],
    advance: Callable[[int, int], None],
) -> dict[str, Any]:
    """Import the file of a job, or preview it; copy refused rows, and return the report.

    `advance` gets how many bytes of how many were read.

    Raises:
        FileRefusedError: the file cannot be read.
        Refusal: the options do not fit.
    """
    options = ImportOptions.from_json(leased.options)
    path = _copy(database, leased, refused.parent / "upload", clock())
    rules, refusals, warnings = options.rules(identity_key), _Reasons(), _Reasons()

    def refuse(row: RefusedRow) -> None:
        refusals.add(row.why, row.part, row.line)

    def warn(row: Row, why: str) -> None:
        warnings.add(why, row.part, row.line)

    with ExitStack() as stack:
        file = stack.enter_context(path.open("rb"))
        source = open_import(file, options.choice(), rules, stack)
        on_refused = stack.enter_context(copying(refused, source, refuse))
        job = Import(
            database,
            rules,
            clock,
            create_topics=options.create_topics,
            dry_run=leased.kind is JobKind.PREVIEW,
            preview=Preview(),
        )
        size = source.passes.size if source.passes else path.stat().st_size
        tell = source.passes.tell if source.passes else file.tell
        for _ in job.steps(source.rows, on_refused, warn):
            advance(tell(), size)
        listed = {"refused": refusals.listed(), "warned": warnings.listed()}
        return {**_report(job, source), **listed}


def without_addresses(text: str) -> str:
    """Return a text with a placeholder for each address."""
    return _ADDRESS.sub("(an address)", text)


def _copy(database: Database, leased: LeasedJob, folder: Path, now: datetime) -> Path:
    """Write the uploaded file to a new folder, and return its path."""
    folder.mkdir()
    path = folder / _name(leased.file_name)
    with path.open("wb") as copy:
        copy.writelines(stored.read(database, leased.id, JobFile.UPLOAD, now))
    return path


def _name(file_name: str) -> str:
    """Return the name of the uploaded file as a folder can hold it; it may say what rows mean."""
    name = Path(Path(file_name).name.replace("\0", ""))
    return name.stem.encode()[:_MAX_NAME].decode(errors="ignore") + name.suffix[:_MAX_SUFFIX]


def _report(job: Import, source: ImportFile) -> dict[str, Any]:
    preview, seen = job.preview or Preview(), job.findings
    return {
        "format": source.form.title if source.form is not None else None,
        "notes": [without_addresses(each) for each in source.notes],
        "blind_spots": list(source.blind_spots),
        "said": [
            (*kind, count, preview.samples.get(kind, []))
            for kind, count in sorted(preview.counts.items())
        ],
        "counts": {name: job.counts[name] for name in COUNTS},
        "refused_suffix": ".zip" if becomes_archive(source) else "",
        "cleaned": seen.cleaned,
        "not_on_record": seen.not_on_record,
        "foreign_ids": seen.foreign_ids,
        "new_topics": sorted(seen.new_topics),
        "missing_topics": sorted(seen.missing_topics),
        "unmapped_topics": sorted(filter(_is_word, seen.unmapped_topics)),
        "unknown_words": sorted(pair for pair in seen.unknown_words if _is_word(pair[1])),
    }


def _is_word(text: str) -> bool:
    return "@" not in text and len(text) <= _MAX_WORD

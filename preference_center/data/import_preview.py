"""Count what the rows of an import say, before it is known what they change."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from preference_center.core.vocab import Scope
from preference_center.data.import_records import AddressRecord, ReadRow, Record, SuppressionRecord
from preference_center.links.addresses import mask

_MAX_SAMPLES = 3
_SCOPES = {
    Scope.TOPIC: "unsubscribed",
    Scope.ALL: "unsubscribed from everything",
    Scope.ADDRESS: "no email to the address",
}

_Kind = tuple[str, str]  # the part of the file, and what a record says


@dataclass
class Preview:
    """How many records say what in which part of a file, and a few of their addresses, masked."""

    counts: Counter[_Kind] = field(default_factory=Counter)
    samples: dict[_Kind, list[str]] = field(default_factory=dict)

    def add(self, part: str, read: ReadRow) -> None:
        """Count what a row says."""
        for record in read.records:
            kind = part, _said(record)
            self.counts[kind] += 1
            samples = self.samples.setdefault(kind, [])
            if len(samples) < _MAX_SAMPLES and record.identity.email is not None:
                samples.append(mask(record.identity.email))
        if read.skipped:
            self.counts[part, read.skipped] += 1

    def lines(self) -> Iterator[str]:
        """Yield a line for each part and what is said in it."""
        for kind, count in sorted(self.counts.items()):
            part, said = kind
            samples = ", ".join(self.samples.get(kind, ()))
            where = f"{part}: " if part else ""
            yield f"{where}{said} {count:,}" + (f", such as {samples}" if samples else "")


def _said(record: Record) -> str:
    if isinstance(record, AddressRecord):
        return "known address, no consent"
    if isinstance(record, SuppressionRecord):
        return "erased" if record.erased_at is not None else _SCOPES[record.target.scope]
    return record.status.value

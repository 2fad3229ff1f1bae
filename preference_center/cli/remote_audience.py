"""`audience --url`: ask the JSON API. No database and no server secret is needed."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, Any

from preference_center.client import Client
from preference_center.data.campaign_csv import VERDICT_COLUMNS, merged
from preference_center.data.identity import IDENTITY_COLUMNS
from preference_center.data.links_csv import LINK_COLUMNS, Merged
from preference_center.data.tabular import RefusedRow, Row


@dataclass(frozen=True)
class RemoteCampaign:
    """The audience check of one campaign of one topic, as `CampaignFile`."""

    client: Client
    topic: str
    campaign: str

    def verdicts(self, rows: Iterable[Row | RefusedRow], *, claim: bool) -> Iterator[Merged]:
        """Yield each row with its verdict, once the whole answer has come; raise ClientError."""
        with TemporaryFile("w+", encoding="utf-8") as kept:
            answers = self.client.audience(
                _sent(rows, kept), topic=self.topic, campaign=self.campaign, claim=claim
            )
            for row in _kept(kept):
                yield row if isinstance(row, RefusedRow) else _merged(row, next(answers))

    def release(self, rows: Iterable[Row | RefusedRow]) -> Iterator[int | RefusedRow]:
        """Release the claims of recipients who were not emailed; yield their number, and rows."""
        with TemporaryFile("w+", encoding="utf-8") as kept:
            count, refused = self.client.release(
                _sent(rows, kept, "verdict"), topic=self.topic, campaign=self.campaign
            )
            yield count
            following, number = next(refused, None), 0
            for row in _kept(kept):
                if isinstance(row, RefusedRow):
                    yield row
                    continue
                number += 1
                if following is not None and following["line"] == number:
                    yield row.refused(following["error"])
                    following = next(refused, None)


def _sent(rows: Iterable[Row | RefusedRow], kept: IO[str], *more: str) -> Iterator[dict[str, str]]:
    """Yield what is sent of each row that can be used, and keep all rows in a file."""
    for row in rows:
        unusable = row if isinstance(row, RefusedRow) else row.refused() if row.problems else None
        if unusable is not None:
            _keep(kept, [unusable.line, unusable.why, None])
        elif isinstance(row, Row):
            _keep(kept, [row.line, "", dict(row.cells)])
            names = (*IDENTITY_COLUMNS, *more)
            yield {name: row.cells[name] for name in names if name in row.cells}
    kept.seek(0)


def _keep(kept: IO[str], row: list[Any]) -> None:
    kept.write(json.dumps(row) + "\n")


def _kept(kept: IO[str]) -> Iterator[Row | RefusedRow]:
    for text in kept:
        line, why, cells = json.loads(text)
        yield RefusedRow(line, why) if cells is None else Row(line, cells)


def _merged(row: Row, answer: dict[str, Any]) -> Merged:
    if "error" in answer:
        return row.refused(answer["error"])
    columns = (*IDENTITY_COLUMNS, *VERDICT_COLUMNS, *LINK_COLUMNS)
    return merged(row, {name: answer[name] or "" for name in columns if name in answer})

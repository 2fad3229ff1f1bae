"""Measure minting and reading links beside raw HMACs, and `links` beside `csv` writing its rows."""

import csv
import hmac
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from preference_center.links.mail_tokens import read_mail_token
from preference_center.links.minter import read_link
from tests.benchmarks.measure import command, medians, seconds_of
from tests.benchmarks.options import Options
from tests.benchmarks.result import Result
from tests.support import make

TOPIC, CAMPAIGN, NAME = "weekly-news", "2026-47", "Weekly news"
COUNT = 20_000  # recipients, links or tokens in each round
KEY = bytes(32)  # as long as a derived key
INBOUND_DOMAIN = "in.example.org"
MINTER = make.minter(inbound_domain=INBOUND_DOMAIN)
PAYLOAD = b"1.20779.J3YGUP0gQRa_Z7nwhv8o1A.weekly-news.2026-47"  # what a link signs
BODY = bytes(22)  # what a mail token signs


def run(options: Options) -> Iterator[Result]:
    people = [_address(number) for number in range(COUNT)]
    links = MINTER.mint(people[0], TOPIC, CAMPAIGN)
    link, token, keys = (
        links.unsubscribe_url.rpartition("/")[2],
        links.event_token,
        MINTER.link_keys,
    )

    def mint(number: int) -> None:
        MINTER.mint(people[number], TOPIC, CAMPAIGN, list_name=NAME)

    def read(_: int) -> None:
        read_link("unsubscribe", link, keys)

    def read_token(_: int) -> None:
        read_mail_token(token, keys)

    texts = (PAYLOAD, PAYLOAD, BODY, BODY)
    rounds = options.rounds
    yield _beside_hmacs("links and headers minted", "four raw HMACs", mint, texts, 0.4, rounds)
    yield _beside_hmacs("link read", "one raw HMAC", read, (PAYLOAD,), 0.2, rounds)
    yield _beside_hmacs("mail token read", "one raw HMAC", read_token, (BODY,), 0.2, rounds)
    yield _command(options.size, rounds)


def _beside_hmacs(
    work: str,
    beside: str,
    product: Callable[[int], None],
    texts: Sequence[bytes],
    target: float,
    rounds: int,
) -> Result:
    """Measure `product`, beside HMACs of `texts` with base64, on one core."""

    def limit(_: int) -> None:
        for text in texts:
            urlsafe_b64encode(hmac.digest(KEY, text, "sha256"))

    reached, most = medians(rounds, lambda: _rate(product), lambda: _rate(limit))
    return Result(work, reached, f"{beside} with base64", most, target)


def _rate(action: Callable[[int], None]) -> float:
    start = time.perf_counter()
    for number in range(COUNT):
        action(number)
    return COUNT / (time.perf_counter() - start)


def _command(size: int, rounds: int) -> Result:
    """Measure the command `links`, its start included, beside `csv` writing the rows it wrote."""
    settings = make.environment(INBOUND_DOMAIN=INBOUND_DOMAIN)
    mailing = ("--topic", TOPIC, "--campaign", CAMPAIGN, "--name", NAME)
    with TemporaryDirectory() as folder:
        people, merged, copy = (Path(folder) / name for name in ("people", "merged", "copy"))
        people.write_text("email,name\n" + "".join(_row(number) for number in range(size)), "utf-8")

        def links() -> None:
            command(settings, "links", *mailing, stdin=people, stdout=merged)

        links()
        with merged.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        took, least = medians(
            rounds, lambda: seconds_of(links), lambda: seconds_of(lambda: _write(copy, rows))
        )
    return Result("links", size / took, "csv writing the output rows", size / least, 0.3)


def _address(number: int) -> str:
    return f"reader{number}@example{number % 100}.org"


def _row(number: int) -> str:
    return f"{_address(number)},Reader {number}\n"


def _write(path: Path, rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)

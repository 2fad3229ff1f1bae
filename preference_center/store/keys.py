"""The keys that a database is used with, recorded as check values that do not reveal them.

A database that is used with other keys than its own loses unsubscribes without an error: under
another IDENTITY_KEY every address belongs to an unknown subscriber. Each key is therefore recorded
as an HMAC of a fixed label, and a process must have a key that matches one of them.
"""

import hmac
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache

from sqlalchemy import and_, select
from sqlalchemy.orm import Session, aliased

from preference_center.core.vocab import KeyKind
from preference_center.links.addresses import fingerprint
from preference_center.store import queries, seals
from preference_center.store.pipelines import fetch_all
from preference_center.store.tables import KeyCheck, LedgerRow, SubscriberRow

SETTINGS = {
    KeyKind.IDENTITY: "PREFERENCE_CENTER_IDENTITY_KEY",
    KeyKind.SERVER: "PREFERENCE_CENTER_SERVER_KEYS",
    KeyKind.LINK: "PREFERENCE_CENTER_LINK_KEYS",
}
_MISMATCH = {
    KeyKind.IDENTITY: "is not the key this database was filled with",
    KeyKind.SERVER: "holds none of the keys that this database is used with",
    KeyKind.LINK: "holds none of the keys that this database is used with",
}
_KNOWN = "SELECT kind, check_value FROM key_checks"
_MAX_SAMPLE = 1000  # rows

Keys = Mapping[KeyKind, tuple[str, ...]]
Known = Mapping[KeyKind, frozenset[bytes]]


@cache  # Every session needs these values.
def check_value(kind: KeyKind, key: str) -> bytes:
    """Return the check value of a key, 32 bytes.

    The label begins with a NUL, so that it differs from every other text that these keys
    authenticate: addresses, salts of links and sealed rows.
    """
    return hmac.digest(key.encode(), f"\0preference-center key check\n{kind}".encode(), "sha256")


def known(session: Session) -> Known:
    """Return the check values on record by kind. A kind without any is absent."""
    found: dict[KeyKind, set[bytes]] = {}
    # Every session runs this: plain SQL takes half the time of the ORM, and `fetch_all` sends it
    # together with BEGIN.
    (rows,) = fetch_all(session.connection(), [(_KNOWN, ())])
    for kind, value in rows:
        found.setdefault(KeyKind(kind), set()).add(value)
    return {kind: frozenset(values) for kind, values in found.items()}


def problems(on_record: Known, keys: Keys) -> list[str]:
    """Return a sentence for each kind of which none of the given keys is on record.

    A kind without a key in `keys` is not checked.
    """
    found = []
    for kind, values in keys.items():
        if values and kind not in on_record:
            found.append(
                f"{SETTINGS[kind]} has no check value yet (run: preference-center upgrade)"
            )
        elif values and not _on_record(on_record, kind, values):
            found.append(f"{SETTINGS[kind]} {_MISMATCH[kind]}")
    return found


def in_signing_order(on_record: Known, keys: Keys) -> Keys:
    """Return the keys of each kind so that the last one is the newest that is on record.

    A key that is not on record yet verifies but does not sign: another process may not have it.
    """
    ordered = {}
    for kind, values in keys.items():
        signing = _on_record(on_record, kind, values)
        ordered[kind] = tuple(key for key in values if key not in signing) + signing
    return ordered


def add(session: Session, kind: KeyKind, keys: Iterable[str], now: datetime) -> None:
    """Record the check values of keys. Those on record keep their time."""
    rows = [{"kind": kind, "check_value": check_value(kind, key), "added_at": now} for key in keys]
    queries.insert_missing(session, KeyCheck, rows)


def listed(session: Session) -> Sequence[KeyCheck]:
    """Return all check values on record, by kind and age."""
    ordered = select(KeyCheck).order_by(KeyCheck.kind, KeyCheck.added_at, KeyCheck.check_value)
    return session.scalars(ordered).all()


def misfits(session: Session, keys: Keys) -> list[str]:
    """Return a sentence for each kind of key that does not match the stored data.

    A kind of key matches if most rows of a sample do: a database that was used with a wrong key for
    a while contains some rows made with it. Nothing that is stored depends on link keys.
    """
    wrong = []
    (identity,) = keys.get(KeyKind.IDENTITY) or (None,)
    if identity is not None and not _fits_addresses(session, identity):
        wrong.append(KeyKind.IDENTITY)
    server = keys.get(KeyKind.SERVER)
    if server and not _fit_seals(session, server):
        wrong.append(KeyKind.SERVER)
    return [f"{SETTINGS[kind]} {_MISMATCH[kind]}" for kind in wrong]


def _on_record(on_record: Known, kind: KeyKind, keys: Iterable[str]) -> tuple[str, ...]:
    values = on_record.get(kind, frozenset())
    return tuple(key for key in keys if check_value(kind, key) in values)


def _fits_addresses(session: Session, identity_key: str) -> bool:
    # Ids are practically random, so the first ones are a fair sample.
    sample = session.execute(
        select(SubscriberRow.subscriber_id, SubscriberRow.email)
        .where(SubscriberRow.email.is_not(None))
        .order_by(SubscriberRow.subscriber_id)
        .limit(_MAX_SAMPLE)
    ).all()
    return _most(fingerprint(email or "", identity_key) == found for found, email in sample)


def _fit_seals(session: Session, server_keys: Sequence[str]) -> bool:
    """Return True if most of the newest rows were sealed with one of the keys.

    An older key may have been dropped from the list.
    """
    before = aliased(LedgerRow)
    previous = and_(
        before.subscriber_id == LedgerRow.subscriber_id, before.seq == LedgerRow.seq - 1
    )
    sample = session.execute(
        select(
            LedgerRow.hash,
            before.hash,
            LedgerRow.subscriber_id,
            LedgerRow.seq,
            LedgerRow.event,
            LedgerRow.scope,
            LedgerRow.source,
            LedgerRow.occurred_at,
            LedgerRow.recorded_at,
            LedgerRow.digest,
        )
        .outerjoin(before, previous)
        .order_by(LedgerRow.recorded_at.desc())
        .limit(_MAX_SAMPLE)
    ).all()
    return _most(
        found in {seals.seal(key.encode(), head or seals.FIRST_HEAD, *row) for key in server_keys}
        for found, head, *row in sample
    )


def _most(fits: Iterable[bool]) -> bool:
    """Return True if more than half are true, or if there are none."""
    verdicts = list(fits)
    return not verdicts or 2 * sum(verdicts) > len(verdicts)

"""The words of a person's page: each kind of change and each verdict has its own."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from preference_center.core.audience import Verdict
from preference_center.core.ledger import LedgerEntry
from preference_center.core.ledger_pages import WordedEntry
from preference_center.core.staff_vocab import Channel
from preference_center.core.vocab import Decision, DecisionReason, Event, Scope, Source
from preference_center.i18n import Languages
from preference_center.util import resources
from tests.support import make

HELD = SimpleNamespace(names={"weekly-news": "Weekly news"})
VERDICTS = [
    Verdict(Decision.ALLOW),
    *(Verdict(Decision.DEFER, DecisionReason(each), make.NOW) for each in ("paused", "frequency")),
    *(
        Verdict(Decision.DENY, each)
        for each in DecisionReason
        if each not in ("paused", "frequency", "duplicate")
    ),
]


@pytest.fixture
def languages(tmp_path: Path) -> Languages:
    for macro in ("sentence", "verdict", "asked"):
        text = f'{{% from "console/person_parts.html" import {macro} with context %}}'
        (tmp_path / f"{macro}.html").write_text(f"{text}{{{{ {macro}(value) }}}}", "utf-8")
    settings = make.settings()
    folders = [tmp_path, *resources.folders("templates", None)]
    return Languages(("en",), folders, settings.template_values())


def words(languages: Languages, macro: str, value: Any) -> str:
    shown = {"held": HELD, "plain": False, "channels": list(Channel), "max_note": 9}
    return " ".join(languages.render("en", f"{macro}.html", value=value, **shown).split())


def row(event: Event, scope: Scope, topic: str | None, before: Any, after: Any) -> WordedEntry:
    times = (make.NOW, make.NOW)
    return WordedEntry(
        LedgerEntry(1, event, scope, topic, Source.PAGE, None, *times, before, after), None
    )


def test_each_event_has_a_sentence(languages: Languages) -> None:
    state = {"status": "subscribed", "frequency": "weekly", "paused_until": make.NOW.isoformat()}
    snapshot = {"topic:weekly-news": state}
    about = [
        (Scope.TOPIC, "weekly-news", snapshot, snapshot),
        (Scope.TOPIC, None, None, None),  # Erased.
        *(
            (scope, None, {scope.value: None}, {scope.value: None})
            for scope in (Scope.ALL, Scope.ADDRESS)
        ),
    ]
    for scope, topic, before, after in about:
        texts = [
            words(languages, "sentence", row(each, scope, topic, before, after)) for each in Event
        ]
        distinct = set(Event) - {Event.INCREASED} if topic else set(Event)
        assert len(set(texts)) == len(distinct), texts


def test_each_verdict_has_words(languages: Languages) -> None:
    texts = [words(languages, "verdict", each) for each in VERDICTS]
    assert len(set(texts)) == len(texts)


def test_each_channel_has_words(languages: Languages) -> None:
    assert words(languages, "asked", "x").count('type="radio"') == len(Channel)

"""No opt-out of any format is lost, and no row without a word for it subscribes."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preference_center.core.vocab import ImportStatus
from preference_center.data.formats.registry import FORMATS
from preference_center.data.tabular import FileRefusedError
from tests.support.foreign_files import Outcome, csv_of, workbook, zipped
from tests.support.foreign_samples import SAMPLES, Sample, Truth

IDS = [f"{sample.source}-{sample.name}" for sample in SAMPLES]
Rows = Sequence[tuple[Mapping[str, str], Truth]]


def addressed(sample: Sample, rows: Rows) -> list[dict[str, str]]:
    return [{**row, sample.email: f"p{n}@example.org"} for n, (row, _) in enumerate(rows)]


def expected(rows: Rows, truth: Truth) -> set[str]:
    return {f"p{n}@example.org" for n, (_, each) in enumerate(rows) if each is truth}


def check(outcome: Outcome, rows: Rows) -> None:
    assert outcome.stopped == expected(rows, Truth.STOP)
    assert outcome.subscribed <= expected(rows, Truth.MAY_START)


@pytest.mark.parametrize("sample", SAMPLES, ids=IDS)
@pytest.mark.parametrize("named", [False, True])
def test_each_row_of_a_format_leads_to_what_it_says(sample: Sample, named: bool) -> None:
    content = csv_of(sample.header, addressed(sample, sample.rows))
    source = sample.source if named or not sample.is_certain else "auto"
    outcome = Outcome(content, sample.name, source, topic="weekly-news", **sample.options)
    check(outcome, sample.rows)
    assert outcome.subscribed == expected(sample.rows, Truth.MAY_START)
    assert outcome.file.form is FORMATS[sample.source]


def test_every_format_has_samples_and_blind_spots() -> None:
    assert {sample.source for sample in SAMPLES} == set(FORMATS)
    for form in FORMATS.values():
        assert form.blind_spots
        assert all(sentence.endswith(".") for sentence in form.blind_spots)


@pytest.mark.parametrize("sample", SAMPLES, ids=IDS)
@pytest.mark.parametrize("status", [None, ImportStatus.SUBSCRIBED, ImportStatus.UNSUBSCRIBED])
def test_without_a_topic_an_opt_out_still_counts(sample: Sample, status: Any) -> None:
    content = csv_of(sample.header, addressed(sample, sample.rows))
    outcome = Outcome(content, sample.name, sample.source, status=status, **sample.options)
    assert expected(sample.rows, Truth.STOP) <= outcome.stopped
    if not sample.options:
        assert not outcome.subscribed


@st.composite
def files(draw: st.DrawFn, *shapes: str) -> tuple[Sample, Rows, Outcome]:
    """A file of any format: rows and columns in any order, in one of the shapes."""
    sample = draw(st.sampled_from(SAMPLES))
    rows = draw(st.lists(st.sampled_from(sample.rows), max_size=12))
    header = draw(st.permutations([*sample.header, "Shoe size"]))
    cells = addressed(sample, rows)
    shape = draw(st.sampled_from(shapes))
    options = {"topic": draw(st.sampled_from([None, "weekly-news"])), **sample.options}
    if shape == "xlsx":
        lines = [[row.get(name, "") for name in header] for row in cells]
        content = workbook({sample.name[:20]: [header, *lines]})
    else:
        text = csv_of(header, cells, draw(st.sampled_from([",", ";", "\t"])))
        encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
        content = text.encode(encoding)
        if shape == "zip":
            content = zipped(**{f"export/{sample.name}": content, "__MACOSX/._x.csv": b"\0"})
    return sample, rows, Outcome(content, sample.name, sample.source, **options)


@settings(deadline=None, max_examples=150)
@given(files("csv", "zip"))
def test_a_generated_file_loses_no_opt_out_and_invents_no_consent(
    found: tuple[Sample, Rows, Outcome],
) -> None:
    sample, rows, outcome = found
    check(outcome, rows)
    assert outcome.file.form is FORMATS[sample.source]


@settings(deadline=None, max_examples=15)  # Each workbook is read by a process of its own.
@given(files("xlsx"))
def test_a_generated_workbook_loses_no_opt_out_and_invents_no_consent(
    found: tuple[Sample, Rows, Outcome],
) -> None:
    sample, rows, outcome = found
    # The name of a sheet is cut, so a file of blocks may be unclear. It stops no email.
    check(outcome, rows)
    assert outcome.file.form is FORMATS[sample.source]


# Files of systems without a format: the columns, a row of a person who left, and one who did not.
OTHERS = {
    "MailPoet": (
        "Email,First name,Last name,List status,Global status,List",
        "{},A,L,unsubscribed,subscribed,News",
        "{},A,L,subscribed,subscribed,News",
    ),
    "Keila": (
        "Email,First name,Last name,Data,Status,External ID",
        "{},A,L,,unreachable,",
        "{},A,L,,active,",
    ),
    "Customer.io": (
        "id,email,cio_id,created_at,unsubscribed",
        "7,{},x,1443651154,true",
        "8,{},y,1443651154,false",
    ),
    "Shopify": (
        "Customer ID,First Name,Email,Accepts Email Marketing",
        "7,A,{},no",
        "8,A,{},yes",
    ),
    "ActiveCampaign": ("Email,First Name,Status,Tags", "{},A,2,", "{},A,1,"),
    "Buttondown": (
        "email,notes,metadata,tags,subscriber_type,source,creation_date",
        "{},,,,unsubscribed,import,2024-01-01",
        "{},,,,regular,import,2024-01-01",
    ),
    "EmailOctopus": (
        "email,first_name,status,created_at,tags",
        "{},A,UNSUBSCRIBED,2024-01-01,",
        "{},A,SUBSCRIBED_,2024-01-01,",
    ),
    "a CRM": (
        "contact_id,email,first_name,created_at,updated_at,opted_out",
        "7,{},A,2024-01-01,2024-01-01,yes",
        "8,{},A,2024-01-01,2024-01-01,",
    ),
    "Zoho": (
        "Record Id,First Name,Email,Email Opt Out,Created Time",
        "7,A,{},true,2024-01-01",
        "8,A,{},false,2024-01-01",
    ),
    "a list with times": (
        "email,status,created_at,unsubscribed_at,bounced_at",
        "{},active,2024-01-01,2024-01-02,",
        "{},active,2024-01-01,,2024-01-02",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("source", ["auto", "csv", *FORMATS])
def test_files_of_other_systems_lose_no_opt_out_and_subscribe_nobody(
    name: str, source: str
) -> None:
    header, left, other = OTHERS[name]
    lines = (header, left.format("left@example.org"), other.format("other@example.org"))
    try:
        outcome = Outcome(zipped(**{"a.csv": "\n".join(lines)}), source=source, topic="weekly-news")
    except FileRefusedError:
        return
    assert "left@example.org" in outcome.stopped or 2 in {row.line for row in outcome.refused}
    assert not outcome.subscribed or source == "kit"  # Its word is `active`.


# Names of columns that files of many systems have.
_COMMON = (
    *("email", "email_address", "address", "status", "state", "tier", "tags", "created", "ip"),
    *("created_at", "updated_at", "reason", "group_id", "group_name", "code", "error", "name"),
    *(
        "first_name",
        "last_name",
        "id",
        "record id",
        "contact_id",
        "type",
        "plan",
        "unsubscribed_at",
    ),
)


@settings(deadline=None, max_examples=100)
@given(st.sets(st.sampled_from(_COMMON), min_size=1), st.data())
def test_auto_takes_no_file_with_common_columns_and_one_it_does_not_know(
    names: set[str], data: st.DataObject
) -> None:
    row = {name: data.draw(_WORDS) for name in (*sorted(names), "shoe")}
    content = csv_of(tuple(row), [{**row, "email": "p@example.org"} if "email" in row else row])
    try:
        outcome = Outcome(content, "suppression_bounces.csv", topic="weekly-news")
    except FileRefusedError:
        return
    assert outcome.file.form is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("email,name,ip,created,status\n{},A,1.2.3.4,2024-01-01,subscribed", "subscribed"),
        ("email,group_id,status\n{},7,subscribed", "subscribed"),
        ("email,status,reason,created\n{},unsubscribed,x,2024-01-01", "unsubscribed"),
    ],
)
def test_auto_reads_a_status_beside_columns_like_those_of_suppressions(
    content: str, said: str
) -> None:
    outcome = Outcome(content.format("p@example.org"), topic="weekly-news")
    assert outcome.said == [f"p@example.org {said} weekly-news"]


def test_auto_applies_the_status_option_to_columns_like_those_of_suppressions() -> None:
    content = "email,reason,created\np@example.org,moved,2024-01-01\n"
    outcome = Outcome(content, topic="weekly-news", status=ImportStatus.UNSUBSCRIBED)
    assert outcome.said == ["p@example.org unsubscribed weekly-news"]


@pytest.mark.parametrize(
    ("source", "header"),
    [
        ("auto", "email,status,tier"),
        ("mailgun", "address,created_at,tag"),
        ("sendgrid", "email,name,ip,created,status"),
        ("sendgrid", "email,created,list"),
    ],
)
def test_lists_of_people_are_no_lists_of_suppressions(source: str, header: str) -> None:
    row = dict.fromkeys(header.split(","), "active") | {header.split(",")[0]: "p@example.org"}
    try:
        outcome = Outcome(csv_of(tuple(row), [row]), source=source, topic="weekly-news")
    except FileRefusedError:
        return
    assert outcome.said == []


_WORDS = st.sampled_from(
    ["", "Subscribed?", "true", "YES", "1", "aktiv", "enabled", "opt_in", "x", "N/A", "-", "0"]
)


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(SAMPLES), st.data())
def test_odd_words_never_subscribe(sample: Sample, data: st.DataObject) -> None:
    """A row is subscribed only if the cells are those of a row with a word for it."""
    row = {name: data.draw(_WORDS) for name in sample.header}
    row[sample.email] = "p0@example.org"
    outcome = Outcome(csv_of(sample.header, [row]), sample.name, sample.source, topic="weekly-news")
    may = [cells for cells, truth in sample.rows if truth is Truth.MAY_START]
    says = any(
        all(row[name].lower() == cell.lower() for name, cell in cells.items() if name in KEYS)
        for cells in may
    )
    allowed = says or sample.source in ("ghost", "mailchimp", "listmonk")
    assert allowed or not outcome.subscribed


KEYS = {"_SUBSCRIBED", "Email Marketing Consent", "status", "state", "topicPreferences.Weekly"}

"""The steps of docs/moving.md work with files of each system's form."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from preference_center.data.formats.registry import FORMATS
from tests.support.command import run_ok
from tests.support.foreign_files import (
    MAILCHIMP_END,
    MAILCHIMP_START,
    csv_of,
    workbook,
    zipped,
)

PAGE = (Path(__file__).parents[2] / "docs" / "moving.md").read_text(encoding="utf-8")
ADA, BEN, CEM = "ada@example.org", "ben@example.org", "cem@example.org"


def audience(*columns: str, email: str = ADA, **cells: str) -> str:
    header = (*MAILCHIMP_START, *columns, *MAILCHIMP_END)
    return csv_of(header, [{"Email Address": email, **cells}])


def listmonk(*statuses: str) -> str:
    header = ("uuid", "email", "name", "attributes", "status", "created_at", "updated_at")
    people = zip((ADA, BEN, CEM), statuses, strict=False)
    return csv_of(header, [{"email": each, "status": status} for each, status in people])


def table(header: str, *rows: str, separator: str = ",") -> str:
    return "".join(f"{line}\r\n" for line in (header, *rows)).replace(",", separator)


def ses(**fields: object) -> str:
    return json.dumps({"SuppressedDestinationSummaries": [fields]}, indent=4)


# The files of each section, by name.
FILES: Mapping[str, Mapping[str, str | bytes]] = {
    "Mailchimp": {
        "audience_export.zip": zipped(
            **{
                "subscribed_email_audience_export_1.csv": audience("LAST_CHANGED"),
                "unsubscribed_email_audience_export_1.csv": audience("UNSUB_TIME", email=BEN),
                "cleaned_email_audience_export_1.csv": audience("CLEAN_TIME", email=CEM),
            }
        ),
        "people.csv": audience("LAST_CHANGED"),
    },
    "listmonk": {
        "subscribers.csv": listmonk("enabled", "enabled", "blocklisted"),
        "unsubscribed.csv": listmonk("enabled").replace(ADA, BEN),
        "confirmed.csv": listmonk("enabled"),
        "lists.csv": table(
            "email,topic,status,changed_at",
            f"{ADA},Weekly news,confirmed,2023-05-06 07:08:09+00",
            f"{BEN},Weekly news,unsubscribed,2023-05-06 07:08:09+00",
        ),
    },
    "Ghost": {
        "members.csv": table(
            "id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,"
            "created_at,deleted_at,labels,tiers,gift_id",
            f"1,{ADA},Ada,,true,,,2018-12-25T20:43:22.178Z,,,,",
            f"2,{BEN},Ben,,false,,,2018-12-25T20:43:22.178Z,,,,",
        )
    },
    "Substack": {
        "export.zip": zipped(
            **{
                "posts.csv": table("post_id,post_date,is_published", "1,2024-01-01,true"),
                "posts/1.hello.html": "<p>Hello</p>",
                "email_list.northwind.csv": table(
                    "email,active_subscription,expiry,plan,email_disabled,created_at",
                    f"{ADA},false,,other,false,2021-02-04T07:55:20.000Z",
                    f"{BEN},true,,other,true,2021-02-04T07:55:20.000Z",
                ),
            }
        )
    },
    "Brevo": {
        "contacts.csv": "\ufeff"
        + table(
            "CONTACT ID,EMAIL,LASTNAME,ADDED_TIME,MODIFIED_TIME,_SUBSCRIBED,_BLOCKLISTED",
            f"1,{ADA},L,12-04-2022,12-04-2022,email_marketing,",
            f"2,{BEN},M,12-04-2022,13-04-2022,,email_marketing",
            separator=";",
        ),
        "left.csv": table(
            "CONTACT ID,EMAIL,LASTNAME,ADDED_TIME,MODIFIED_TIME,_SUBSCRIBED,_BLOCKLISTED",
            f"3,{CEM},M,12-04-2022,13-04-2022,email_marketing,",
            separator=";",
        ),
    },
    "HubSpot": {
        "unsubscribes.xlsx": workbook(
            {
                "Sheet1": [
                    [
                        *("Email", "Portal Bounce", "Portal Unsubscribe", "Portal Spam Report"),
                        *("Global Bounce", "Marketing Information", "Offers"),
                    ],
                    [BEN, False, False, False, False, True, False],
                    [CEM, "550 no such user", False, False, False, False, False],
                ]
            }
        ),
        "agreed.csv": table(
            "Record ID,Email,Unsubscribed from all email,Opted out of email: Offers",
            f"1,{ADA},,false",
        ),
    },
    "SendGrid": {
        "suppression_bounces.csv": table(
            "status,reason,email,created", f"5.1.1,x,{CEM},1443651154"
        ),
        "suppression_invalid_emails.csv": table("reason,email,created", f"x,{CEM},1443651154"),
        "suppression_spam_reports.csv": table("ip,email,created", f"192.0.2.1,{CEM},1443651154"),
        "suppression_unsubscribes.csv": table("email,created", f"{CEM},1443651154"),
        "suppression_group_unsubscribes.csv": table(
            "email,group_id,group_name,created_at", f"{BEN},7,Weekly news,1443651154"
        ),
    },
    "Amazon SES": {
        "suppressed.json": ses(
            EmailAddress=CEM, Reason="BOUNCE", LastUpdateTime="2026-01-02T03:04:05.678000+00:00"
        ),
        "contacts.json": "".join(
            f"{json.dumps(each)}\n"
            for each in (
                {
                    "emailAddress": email,
                    "unsubscribeAll": False,
                    "topicPreferences": [{"topicName": "Weekly", "subscriptionStatus": choice}],
                }
                for email, choice in ((ADA, "OPT_IN"), (BEN, "OPT_OUT"))
            )
        ),
    },
    "Mailgun": {
        "bounces.csv": table(
            "address,code,error,created_at", f'{CEM},550,x,"Tue, 07 Jan 2025 19:25:45 UTC"'
        ),
        "complaints.csv": table("address,created_at", f'{CEM},"Tue, 07 Jan 2025 19:25:45 UTC"'),
        "unsubscribes.csv": table(
            "address,tags,created_at", f'{BEN},newsletter,"Tue, 07 Jan 2025 19:25:45 UTC"'
        ),
    },
    "Klaviyo": {
        "profiles.csv": table(
            "Email,Klaviyo ID,Email Marketing Consent,Email Marketing Consent Timestamp,"
            "Email Suppressions",
            f"{ADA},1,SUBSCRIBED,2024-05-06 07:08:09,[]",
            f"{BEN},2,UNSUBSCRIBED,2024-05-06 07:08:09,['UNSUBSCRIBE']",
            f"{CEM},3,SUBSCRIBED,2024-05-06 07:08:09,['HARD_BOUNCE']",
        )
    },
    "beehiiv": {
        "subscribers.csv": table(
            "email,First Name,Last Name,status,tier,created_at,stripe_customer_id,unsubscribed_at",
            f"{ADA},A,L,active,free,2023-03-24 10:23:10 UTC,,",
            f"{BEN},B,M,active,free,2023-03-24 10:23:10 UTC,,2024-03-24 10:23:10 UTC",
        )
    },
    "Kit": {
        "subscribers.csv": table(
            "first_name,email_address,state,created_at,tags",
            f"Ada,{ADA},active,2023-03-24 10:23:10 UTC,",
            f"Ben,{BEN},cancelled,2023-03-24 10:23:10 UTC,",
        )
    },
    "Any other system": {
        "people.csv": table("Kontakt,Zustand", f"{ADA},Kunde"),
        "left.csv": table("email", BEN),
    },
}


OF_TWO = ("Ghost", "Substack", "beehiiv", "Kit", "Any other system")  # without CEM


def sections() -> Iterator[tuple[str, list[list[str]]]]:
    """Yield the title of each system's section, and the arguments of its commands."""
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        title, _, text = section.partition("\n")
        blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        lines = "".join(blocks).replace("\\\n", " ").splitlines()
        yield title, [shlex.split(each)[1:] for each in lines if each.startswith("preference")]


def emails(database_url: str, *what: str) -> set[str]:
    lines = run_ok(database_url, "export", *what, "--format", "jsonl").splitlines()
    return {json.loads(line)["email"] for line in lines}


SECTIONS = {title: steps for title, steps in sections() if title != "How a move works"}


@pytest.mark.parametrize("title", SECTIONS)
def test_the_steps_of_a_section_work(
    database_url: str, title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in FILES[title].items():
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    run_ok(database_url, "topics", "add", "weekly-news", "--name", "Weekly news")
    used = set()
    for arguments in SECTIONS[title]:
        used |= {*arguments} & {*FILES[title]}
        output = run_ok(database_url, *arguments)
        assert output.startswith("Would have added" if "--dry-run" in arguments else "Added")
    assert used == {*FILES[title]}
    starts = title not in ("SendGrid", "Mailgun")  # Their files say only who left.
    chosen = ("--status", "subscribed", "--topic", "weekly-news")
    assert emails(database_url, "preferences", *chosen) == ({ADA} if starts else set())
    left = emails(database_url, "suppressions", "--topic", "weekly-news")
    assert left == ({BEN} if title in OF_TWO else {BEN, CEM})


def test_every_system_has_a_section_that_names_its_format() -> None:
    text = {" ".join(arguments) for steps in SECTIONS.values() for arguments in steps}
    for name in FORMATS:
        assert any(f"--from {name}" in each for each in text), name
    assert set(SECTIONS) == set(FILES)

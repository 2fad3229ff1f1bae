"""`topics`: add, list, describe, change, archive and delete topics."""

from preference_center.core import topics
from preference_center.store import Database
from tests.support import make
from tests.support.command import run, run_ok


def test_an_added_topic_is_listed(database_url: str) -> None:
    assert run_ok(database_url, "topics", "add", "weekly-news") == "Added weekly-news.\n"
    listed = run_ok(database_url, "topics", "list")
    assert listed.split("  ")[0] == "weekly-news"
    assert listed.endswith("Weekly news  (opt_in, irregular, public)\n")


def test_an_empty_list_shows_the_command_that_adds_a_topic(database_url: str) -> None:
    assert "preference-center topics add weekly-news" in run_ok(database_url, "topics", "list")


def test_options_set_policy_visibility_and_change_notices(
    database: Database, database_url: str
) -> None:
    options = ("--policy", "opt_out", "--visibility", "internal", "--no-change-notices")
    run_ok(database_url, "topics", "add", "receipts", "--name", "Your receipts", *options)
    with database.reading() as session:
        topic = topics.get(session, "receipts")
        assert (topic.policy, topic.visibility) == ("opt_out", "internal")
        assert topic.change_notices is False


def test_a_cadence_can_be_set_and_changed_and_is_listed(
    database: Database, database_url: str
) -> None:
    run_ok(database_url, "topics", "add", "weekly-news", "--cadence", "weekly")
    assert "(opt_in, weekly, public)" in run_ok(database_url, "topics", "list")
    output = run_ok(database_url, "topics", "set", "weekly-news", "--cadence", "monthly")
    assert output == "0 subscribers receive weekly-news now.\nChanged weekly-news.\n"
    with database.reading() as session:
        assert topics.get(session, "weekly-news").cadence == "monthly"


def test_describe_changes_one_language_and_only_the_given_texts(
    database: Database, database_url: str
) -> None:
    run_ok(database_url, "topics", "add", "weekly-news", "--description", "Every Friday.")
    german = ("--locale", "de", "--name", "Wochenbrief")
    run_ok(database_url, "topics", "describe", "weekly-news", *german)
    run_ok(database_url, "topics", "describe", "weekly-news", "--name", "The week")
    with database.reading() as session:
        topic = topics.get(session, "weekly-news")
        assert topics.name(topic, "de-AT") == "Wochenbrief"
        assert (topics.text(topic, "en").name, topics.text(topic, "en").description) == (
            "The week",
            "Every Friday.",
        )


def test_an_archived_topic_is_marked_and_cannot_be_mailed(database_url: str) -> None:
    run_ok(database_url, "topics", "add", "weekly-news")
    run_ok(database_url, "topics", "archive", "weekly-news")
    assert "archived 20" in run_ok(database_url, "topics", "list")
    check = ("audience", "--topic", "weekly-news", "--campaign", "47")
    result = run(database_url, *check, stdin="email\nada@example.org\n")
    assert result.exit_code == 2
    assert result.stderr == "Error: topic weekly-news is archived: no email may be sent on it\n"


def test_an_impossible_change_is_explained_and_exits_with_2(database_url: str) -> None:
    run_ok(database_url, "topics", "add", "weekly-news")
    refused = {
        ("add", "weekly-news"): "there is a topic weekly-news already",
        ("add", "Weekly News"): "'Weekly News': a topic is 1 to 32 of a-z, 0-9 and -",
        ("add", "other", "--name", "a\nb"): "a topic needs a name, without line breaks",
        ("archive", "nothing"): "there is no topic 'nothing'",
        ("describe", "nothing"): "there is no topic 'nothing'",
        ("set", "nothing", "--cadence", "weekly"): "there is no topic 'nothing'",
        ("set", "weekly-news", "--cadence", "daily"): "'daily' is not one of",
        ("set", "weekly-news"): "Nothing to change",
        ("delete", "nothing"): "there is no topic 'nothing'",
        ("add", "other", "--cadence", "yearly"): "'yearly' is not one of",
    }
    for arguments, why in refused.items():
        result = run(database_url, "topics", *arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert why in result.stderr


def subscribe(database: Database) -> None:
    """Let one subscriber receive weekly-news, and one have made no choice."""
    with database.transaction() as session:
        make.topic(session)
        make.subscriber(session, "ada@example.org", "weekly-news")
        make.subscriber(session, "bob@example.org", "offers")


def test_a_change_that_emails_more_subscribers_says_so_and_asks(
    database: Database, database_url: str
) -> None:
    subscribe(database)
    command = ("topics", "set", "weekly-news", "--policy", "opt_out")
    effect = "1 subscribers receive weekly-news now, 2 after this change.\n"
    refused = run(database_url, *command, stdin="n\n")
    assert (refused.exit_code, refused.stdout.startswith(effect)) == (1, True)
    assert run_ok(database_url, *command, "--yes") == f"{effect}Changed weekly-news.\n"
    back = run_ok(database_url, "topics", "set", "weekly-news", "--policy", "opt_in")
    assert back.startswith("2 subscribers receive weekly-news now, 1 after this change.\n")


def test_a_topic_is_archived_unarchived_and_published(
    database: Database, database_url: str
) -> None:
    subscribe(database)
    assert "now, 0 after" in run_ok(database_url, "topics", "archive", "weekly-news")
    assert "archived 20" in run_ok(database_url, "topics", "list")
    assert "now, 1 after" in run_ok(database_url, "topics", "unarchive", "weekly-news", "--yes")
    run_ok(database_url, "topics", "set", "weekly-news", "--visibility", "hidden")
    assert "irregular, hidden)" in run_ok(database_url, "topics", "list")
    run_ok(database_url, "topics", "publish", "weekly-news")
    assert "irregular, public)" in run_ok(database_url, "topics", "list")


def test_only_an_unused_topic_can_be_deleted(database: Database, database_url: str) -> None:
    subscribe(database)
    run_ok(database_url, "topics", "add", "unused", "--description", "Never sent.")
    assert run_ok(database_url, "topics", "delete", "unused") == "Deleted unused.\n"
    assert "unused" not in run_ok(database_url, "topics", "list")
    refused = run(database_url, "topics", "delete", "weekly-news")
    assert refused.exit_code == 2
    assert "has subscribers or emails: archive it" in refused.stderr

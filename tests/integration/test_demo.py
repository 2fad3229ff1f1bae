"""The demo as a new user runs it: one command in an empty folder, without any setup."""

import json
import re
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import unescape
from http.client import HTTPConnection
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from flask.testing import FlaskClient

from preference_center.demo import company, inbox
from tests.support import processes

FOLDER = "preference-center-demo"
PAGES = ("inbox", "mailing", "report", "webhook")
MAX_START = 90.0  # seconds: half a year of data takes long on a busy machine


@contextmanager
def demo(folder: Path) -> Iterator[tuple[str, processes.Running]]:
    """Yield the URL of a demo running in `folder`, and its process."""
    port = processes.free_port()
    base_url = f"http://localhost:{port}"
    with processes.running({}, "demo", "--port", str(port), cwd=folder) as running:
        processes.wait_until_answering(running, f"{base_url}/healthz", MAX_START)
        yield base_url, running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[tuple[str, processes.Running]]:
    with demo(folder) as started:
        yield started


@pytest.fixture
def base_url(running: tuple[str, processes.Running]) -> str:
    return running[0]


def get(url: str) -> str:
    with urlopen(url, timeout=30) as page:
        return str(page.read().decode())


def post(url: str, **form: str) -> tuple[str, str]:
    """Press a button; return the URL that it leads to, and the page there."""
    with urlopen(Request(url, urlencode(form).encode(), method="POST"), timeout=30) as page:
        return page.url, page.read().decode()


def emails(base_url: str) -> dict[str, str]:
    """Return the name of each email in the inbox, by subject."""
    page = get(f"{base_url}/demo/inbox")
    found = re.findall(r'href="/demo/inbox/([^"/]+)">(.*?)</a>', page, re.DOTALL)
    named = {name: re.search(r"<b>(.*?)</b>", inner, re.DOTALL) for name, inner in found}
    return {_text(match[1]): name for name, match in named.items() if match is not None}


def email_url(base_url: str, subject: str) -> str:
    found = emails(base_url)
    name = next(name for each, name in found.items() if each.startswith(subject))
    return f"{base_url}/demo/inbox/{name}"


def one_click_path(base_url: str, subject: str) -> str:
    """Return the path of the one-click address of an email in the inbox."""
    source = _text(get(f"{email_url(base_url, subject)}/source"))
    found = re.search(r"List-Unsubscribe: <http://[^/]+(/u/[^>]+)>", source)
    assert found is not None
    return found[1]


def step(base_url: str, number: int) -> str:
    """Return the text of one of the six steps of the start page."""
    page = get(f"{base_url}/demo/")
    start = page.index(f'id="step-{number}"')
    return _text(page[start - 4 : page.index("</li>\n", start)])


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command on the demo's data, as the report page tells."""
    line = f'. {FOLDER}/env.sh; exec {processes.COMMAND} "$@"'
    shell = ["sh", "-c", line, "sh", *arguments]
    return subprocess.run(shell, cwd=folder, capture_output=True, check=False)


def newest_mailings(page: str) -> list[dict[str, int]]:
    """Return the rows of the table of mailings, newest first, as numbers by column heading."""
    table = page[page.index("<table") : page.index("</table>")]
    heads = [_text(head) for head in re.findall(r"<th scope=\"col\">(.*?)</th>", table)][1:]
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)[1:]
    numbers = ([_number(cell) for cell in re.findall(r"<td>(.*?)</td>", row)] for row in rows)
    return [dict(zip(heads, each, strict=True)) for each in numbers]


def test_it_prints_the_urls_to_open(running: tuple[str, processes.Running]) -> None:
    base_url, process = running
    processes.wait_for(lambda: "Ctrl+C" in process.output, "the addresses")
    found = re.findall(r"https?://\S+", process.output)
    assert found[0] == f"{base_url}/demo/"
    assert [url.removeprefix(base_url)[:6] for url in found[1:5]] == ["/demo/"] * 4
    assert [url.split("/")[3] for url in found[5:8]] == ["console", "u", "p"]
    assert all(url.startswith(base_url) and get(url) for url in found[:8])


def test_it_says_what_it_does_before_it_answers(running: tuple[str, processes.Running]) -> None:
    assert running[1].output.startswith("Creating half a year of a company’s mailings")


HOSTS = ("localhost:{}", "127.0.0.1:{}", "[::1]:{}", "LOCALHOST:{}")
OTHER_HOSTS = ("evil.example:{}", "localhost", "localhost:1", "localhost.evil.example:{}", "")


@pytest.mark.parametrize("host", [*HOSTS, *OTHER_HOSTS])
def test_only_this_machine_may_be_named_as_the_host(base_url: str, host: str) -> None:
    """Otherwise another site could read the pages, under a name that leads to 127.0.0.1."""
    port = int(base_url.rpartition(":")[2])
    unsubscribe = one_click_path(base_url, "Product news")
    for method, path in (("GET", "/demo/"), ("GET", unsubscribe), ("POST", unsubscribe + "x")):
        connection = HTTPConnection("127.0.0.1", port)
        connection.putrequest(method, path, skip_host=True)
        if host:
            connection.putheader("Host", host.format(port))
        connection.endheaders()
        status = connection.getresponse().status
        connection.close()
        expected = 200 if method == "GET" and host in HOSTS else 400  # The POST's link is broken.
        assert (method, status) == (method, expected)


@pytest.mark.parametrize("host", OTHER_HOSTS)
def test_a_one_click_request_for_another_host_changes_nothing(base_url: str, host: str) -> None:
    port = int(base_url.rpartition(":")[2])
    connection = HTTPConnection("127.0.0.1", port)
    connection.putrequest("POST", one_click_path(base_url, "Product news"), skip_host=True)
    connection.putheader("Host", host.format(port))
    connection.endheaders()
    assert connection.getresponse().status == 400
    connection.close()
    assert '<span class="pill">' not in get(email_url(base_url, "Product news"))


def test_only_the_owner_can_read_its_keys(
    running: tuple[str, processes.Running], folder: Path
) -> None:
    for name in ("keys.json", "env.sh"):
        assert (folder / FOLDER / name).stat().st_mode & 0o077 == 0
    assert "Traceback" not in running[1].output


@pytest.mark.parametrize("page", PAGES)
def test_every_page_links_to_the_others(base_url: str, page: str) -> None:
    html = get(f"{base_url}/demo/{page}")
    nav = html[html.index("<nav") : html.index("</nav>")]
    paths = re.findall(r'href="([^"]+)"', nav)
    assert paths[:5] == ["/demo/", *(f"/demo/{other}" for other in PAGES)]
    assert "Your email preferences" in get(paths[5])
    assert nav.count("aria-current") == 1
    assert " style=" not in html
    assert "<script" not in html


def test_the_inbox_shows_an_email_of_each_topic_and_its_source(base_url: str) -> None:
    subjects = emails(base_url)
    topics = {subject.partition(":")[0] for subject in subjects}
    assert topics >= {"Weekly news", "Product news", "Harbour offers"}
    source = get(f"{base_url}/demo/inbox/{next(iter(subjects.values()))}/source")
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in source


def test_unsubscribing_in_the_email_program_ends_the_topic(base_url: str, folder: Path) -> None:
    name = next(name for subject, name in emails(base_url).items() if "Weekly" in subject)
    url, page = post(f"{base_url}/demo/inbox/{name}/unsubscribe")
    assert url.endswith("?pressed=200")
    assert "200" in page
    processes.wait_for(
        lambda: "You’re unsubscribed from Weekly news" in emails(base_url), "no confirmation came"
    )
    email = inbox.list_emails(inbox.inbox_folder(folder / FOLDER))[0]
    assert re.search(rf"{base_url}/r/\S+/undo", email.text)
    _, page = post(f"{base_url}/demo/next-mailing", topic="weekly-news")
    counts = re.search(
        r"to ([\d,]+) of ([\d,]+) people. Left out: (\d+) who asked for less, (\d+) who left, "
        r"([\d,]+) who never",
        page,
    )
    assert counts is not None
    sent, asked, *left_out = map(_number, counts.groups())
    assert all(left_out)
    assert sent + sum(left_out) == asked == len(company.people())
    assert "ada@example.org has left it" in _text(page)


def test_a_second_mailing_skips_subscribers_at_their_frequency_cap(base_url: str) -> None:
    post(f"{base_url}/demo/mailing", topic="offers")
    time.sleep(1.1)  # mailings are named by the second
    url, page = post(f"{base_url}/demo/mailing", topic="offers")
    assert url == f"{base_url}/demo/mailing"
    second, first = newest_mailings(page)[:2]
    capped = first["Emailed"] - second["Emailed"]
    assert capped > 0
    assert second == first | {
        "Emailed": first["Emailed"] - capped,
        "Asked for fewer": first["Asked for fewer"] + capped,
    }
    assert sum(second.values()) == len(company.people())


def test_a_mailing_shows_some_skipped_addresses_masked(base_url: str) -> None:
    _, page = post(f"{base_url}/demo/mailing", topic="weekly-news")
    reasons = _text(page[page.index("Who was left out") : page.index("The newest mailings")])
    assert re.search(r"asked for fewer emails, .*?\w•••@\S+ until .*?, \d\d:\d\d UTC", reasons)
    assert re.search(r"paused it \w•••@\S+ until \d+ \w+ 20\d\d", reasons)
    for why in ("left this topic", "left everything", "never confirmed", "never asked for it"):
        assert why in reasons
    addresses = set(re.findall(r"\S+@\S+", reasons))
    assert all("•••" in address for address in addresses)


def test_the_report_equals_that_of_the_command(base_url: str, folder: Path) -> None:
    done = command(folder, "report", "--format", "json")
    left: Counter[str] = Counter()
    for line in json.loads(done.stdout):
        own = ("left_page", "left_one_click", "left_mailto")
        left[line["topic"]] += sum(line[source] for source in own)
    html = get(f"{base_url}/demo/report")
    totals = re.findall(r'id="topic-([\w-]*)">.*?<dt>Left</dt><dd>([\d,]+)</dd>', html, re.DOTALL)
    assert {slug: _number(count) for slug, count in totals} == +left
    assert html.count("<meter") > 8


def test_the_report_begins_with_a_rate(base_url: str) -> None:
    html = get(f"{base_url}/demo/report")
    main = _text(html[html.index("<main") :])
    rate = re.search(r"came to leave a newsletter ([\d,]+) times. ([\d,]+) times \((\d+)%\)", main)
    assert rate is not None
    came, less, share = map(_number, rate.groups())
    assert round(100 * less / came) == share
    assert "Of " in main
    assert "per 1,000 emails" in main
    assert "<q " in html


def test_an_altered_row_is_found_and_can_be_restored(base_url: str, folder: Path) -> None:
    assert "none was altered, and none is missing" in step(base_url, 4)
    assert command(folder, "verify-ledger").returncode == 0
    post(f"{base_url}/demo/ledger/alter")
    found = re.search(r"\S+: row (\d+) was altered", step(base_url, 4))
    assert found is not None
    assert f"Row {found[1]} of Ada’s ledger was altered" in step(base_url, 4)
    post(f"{base_url}/demo/ledger/alter")  # no second row
    verified = command(folder, "verify-ledger")
    assert verified.returncode == 1
    assert verified.stderr.decode().count("was altered") == 1
    post(f"{base_url}/demo/ledger/restore")
    post(f"{base_url}/demo/ledger/restore")
    assert step(base_url, 4).startswith("Alter the ledger Done")
    assert "none was altered, and none is missing" in step(base_url, 4)
    assert command(folder, "verify-ledger").returncode == 0


def test_an_unsubscribe_while_the_database_is_locked_is_kept_and_applied(
    base_url: str, folder: Path
) -> None:
    post(f"{base_url}/demo/outage")
    page = get(f"{base_url}/demo/")
    assert "was answered 200 after" in _text(page)
    assert "1 unsubscribe was in the spool" in _text(page)
    assert re.search(r'http-equiv="refresh" content="2; url=/demo/\?at=\d+#step-5"', page)
    assert "waiting" in command(folder, "spool", "status").stdout.decode()
    with pytest.raises(HTTPError) as refused:  # An unsubscribe in the spool stops mailings.
        post(f"{base_url}/demo/mailing", topic="offers")
    assert refused.value.code == 503
    refused.value.close()
    processes.wait_for(lambda: "unsubscribe was applied" in step(base_url, 5), "the unsubscribe")
    assert step(base_url, 5).startswith("Stop the database Done")


def test_a_restart_keeps_everything(tmp_path: Path) -> None:
    with demo(tmp_path) as (base_url, first):
        name = next(name for subject, name in emails(base_url).items() if "Product" in subject)
        post(f"{base_url}/demo/inbox/{name}/unsubscribe")
        post(f"{base_url}/demo/webhook/add")
        post(f"{base_url}/demo/webhook/stop")
        post(f"{base_url}/demo/webhook/leave")
        before = (tmp_path / FOLDER / "keys.json").read_text()
        first.kill()
    with demo(tmp_path) as (base_url, second):
        _, page = post(f"{base_url}/demo/next-mailing", topic="product-news")
        assert "ada@example.org has left it" in _text(page)
        assert "Creating half a year" not in second.output
        assert (tmp_path / FOLDER / "keys.json").read_text() == before
        subjects = emails(base_url)
        assert sum("Product news:" in subject for subject in subjects) == 1
        post(f"{base_url}/demo/webhook/start")  # On another port than before.
        page_of_webhook = f"{base_url}/demo/webhook"
        processes.wait_for(lambda: "answered 204" in get(page_of_webhook), "the event")
        assert second.stop() == 0


@pytest.mark.usefixtures("sigint")
def test_a_signal_at_any_point_of_the_startup_ends_it(tmp_path: Path) -> None:
    arguments = ("demo", "--port", str(processes.free_port()))
    folder = tmp_path / FOLDER

    def stop_when(happened: Callable[[processes.Running], bool], sent: signal.Signals) -> None:
        with processes.running({}, *arguments, cwd=tmp_path) as running:
            while not happened(running):
                assert running.process.poll() is None, running.output
                time.sleep(0.02)
            running.process.send_signal(sent)
            running.process.wait(60)
            processes.wait_for(lambda: not running.members, "the end of all processes")

    stop_when(lambda _: folder.exists(), signal.SIGTERM)
    stop_when(lambda _: (folder / "keys.json").exists(), signal.SIGTERM)
    stop_when(lambda _: (folder / "preferences.db").exists(), signal.SIGINT)
    stop_when(lambda running: len(running.members) > 1, signal.SIGTERM)
    with demo(tmp_path) as (base_url, _):
        assert "ada@example.org" in get(f"{base_url}/demo/inbox")


def test_a_port_in_use_is_reported_in_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = processes.run({}, "demo", "--port", str(port), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.decode().startswith(f"Error: 127.0.0.1:{port} cannot be used")
    assert not list(tmp_path.iterdir())


def test_the_root_redirects_to_the_start_page(base_url: str) -> None:
    with urlopen(base_url) as answer:
        assert answer.url == f"{base_url}/demo/"


def test_an_unknown_email_is_404(base_url: str) -> None:
    for path in ("/demo/inbox/nothing", "/demo/inbox/..%2Fkeys/source", "/demo/inbox/x/html"):
        with pytest.raises(HTTPError) as refused:
            get(base_url + path)
        assert refused.value.code == 404
        refused.value.close()


@pytest.mark.parametrize("path", ["next-mailing", "mailing"])
def test_an_unknown_topic_is_404(base_url: str, path: str) -> None:
    with pytest.raises(HTTPError) as refused:
        post(f"{base_url}/demo/{path}", topic="nothing")
    assert refused.value.code == 404
    refused.value.close()


@pytest.mark.parametrize(
    "path", ["", "inbox", "inbox/x", "mailing", "report", "webhook", "style.css"]
)
def test_a_real_installation_has_no_demo(client: FlaskClient, path: str) -> None:
    assert client.get(f"/demo/{path}").status_code == 404
    for press in ("next-mailing", "mailing", "outage", "ledger/alter", "webhook/events"):
        sent = client.post(f"/demo/{press}", data={"topic": "weekly-news"})
        assert sent.status_code == 404


def _text(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def _number(text: str) -> int:
    return int(text.replace(",", ""))

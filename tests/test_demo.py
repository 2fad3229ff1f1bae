"""The demo as a new user runs it: one command in an empty folder, nothing set up."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from flask.testing import FlaskClient

from preference_center.demo import inbox
from tests import processes

FOLDER = "preference-center-demo"


@contextmanager
def demo(folder: Path) -> Iterator[tuple[str, processes.Running]]:
    """Yield the address of a demo that runs in `folder`, and its process."""
    port = processes.free_port()
    base_url = f"http://localhost:{port}"
    with processes.running({}, "demo", "--port", str(port), cwd=folder) as running:
        processes.wait_until_answering(running, f"{base_url}/healthz")
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
    """Press a button; return the address it leads to, and the page there."""
    with urlopen(Request(url, urlencode(form).encode(), method="POST"), timeout=30) as page:
        return page.url, page.read().decode()


def mails(base_url: str) -> dict[str, str]:
    """Return the inbox: each mail's subject and its name."""
    page = get(f"{base_url}/demo/inbox")
    found = re.findall(r'href="/demo/inbox/([^"/]+)">(.*?)</a>', page, re.DOTALL)
    named = {name: re.search(r"<b>(.*?)</b>", inner, re.DOTALL) for name, inner in found}
    return {_text(match[1]): name for name, match in named.items() if match is not None}


def test_it_prints_the_addresses_to_open(running: tuple[str, processes.Running]) -> None:
    base_url, process = running
    found = re.findall(r"https?://\S+", process.output)
    assert [url.split("/")[3] for url in found[:3]] == ["demo", "u", "p"]
    assert all(url.startswith(base_url) and get(url) for url in found[:3])


def test_its_keys_are_for_their_owner_alone(
    running: tuple[str, processes.Running], folder: Path
) -> None:
    keys = folder / FOLDER / "keys.json"
    assert keys.stat().st_mode & 0o077 == 0
    assert "Traceback" not in running[1].output


def test_the_inbox_shows_a_mail_of_each_topic_and_its_source(base_url: str) -> None:
    subjects = mails(base_url)
    assert {subject.partition(":")[0] for subject in subjects} >= {"Weekly news", "Product news"}
    source = get(f"{base_url}/demo/inbox/{next(iter(subjects.values()))}/source")
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in source


def test_unsubscribing_in_the_mail_program_ends_the_topic(base_url: str, folder: Path) -> None:
    name = next(name for subject, name in mails(base_url).items() if "Weekly" in subject)
    address, page = post(f"{base_url}/demo/inbox/{name}/unsubscribe")
    assert address.endswith("?pressed=200")
    assert "200" in page
    processes.wait_for(
        lambda: "You’re unsubscribed from Weekly news" in mails(base_url), "no confirmation came"
    )
    mail = inbox.mails(folder / FOLDER / "mail")[0]
    assert re.search(rf"{base_url}/r/\S+/undo", mail.text)
    _, page = post(f"{base_url}/demo/next-mailing", topic="weekly-news")
    left_out = re.search(r"to (\d+) people. Left out: (\d+) who left", page)
    assert left_out is not None
    assert left_out.groups() == ("199", "1")


def test_a_restart_keeps_everything(tmp_path: Path) -> None:
    with demo(tmp_path) as (base_url, first):
        name = next(name for subject, name in mails(base_url).items() if "Product" in subject)
        post(f"{base_url}/demo/inbox/{name}/unsubscribe")
        before = (tmp_path / FOLDER / "keys.json").read_text()
        first.kill()
    with demo(tmp_path) as (base_url, second):
        _, page = post(f"{base_url}/demo/next-mailing", topic="product-news")
        assert re.search(r"Left out: [1-9]", page)
        assert (tmp_path / FOLDER / "keys.json").read_text() == before
        subjects = mails(base_url)
        assert sum("Product news:" in subject for subject in subjects) == 1
        assert second.stop() == 0


def test_a_taken_port_is_said_in_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = processes.run({}, "demo", "--port", str(port), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.decode().startswith(f"Error: 127.0.0.1:{port} cannot be used")
    assert not list(tmp_path.iterdir())


def test_a_mail_that_is_not_there_is_404(base_url: str) -> None:
    for path in ("/demo/inbox/nothing", "/demo/inbox/..%2Fkeys/source", "/demo/inbox/x/html"):
        with pytest.raises(HTTPError) as refused:
            get(base_url + path)
        assert refused.value.code == 404
        refused.value.close()


@pytest.mark.parametrize("path", ["/demo/", "/demo/inbox", "/demo/inbox/x", "/demo/style.css"])
def test_a_real_installation_has_no_demo(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404
    assert client.post("/demo/next-mailing", data={"topic": "weekly-news"}).status_code == 404


def _text(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", "", html)).split())

"""`worker`: send the emails in the outbox, number the events of the feed, post webhooks."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from threading import Event, Thread
from urllib.parse import urlsplit

import click

from preference_center.cli.common import stop_event
from preference_center.cli.database import connect, opened_database
from preference_center.cli.texts import check_texts
from preference_center.core import edited_texts
from preference_center.core.vocab import KeyKind
from preference_center.data.jobs.runner import Runner
from preference_center.i18n import Languages
from preference_center.outbound.alerts import Alerts
from preference_center.outbound.erasures import Erasures
from preference_center.outbound.list_changes import ListChanges
from preference_center.outbound.sequencer import Sequencer
from preference_center.outbound.staff_emails import StaffEmails
from preference_center.outbound.transport import SmtpTransport
from preference_center.outbound.unsent import Unsent
from preference_center.outbound.webhook_client import WebhookClient
from preference_center.outbound.webhook_worker import WebhookWorker
from preference_center.outbound.worker import Worker
from preference_center.settings.env import PREFIX
from preference_center.settings.settings import Settings
from preference_center.store import Database
from preference_center.util import logs
from preference_center.util.clock import utc_now

_CONNECTIONS = 8  # Threads that post webhooks use one only before and after they post.
_WITHOUT_EMAIL = "no emails are sent, but the feed is kept and webhooks are posted (Ctrl+C stops)"


_JOB_CONNECTIONS = 3  # to read, to store what was read, and to hold the lease
_JOBS_AT_ONCE = 2  # of the console, so that a short one need not wait for a long one
_Task = Callable[[Event], None]


@click.command()
def worker() -> None:
    """Send emails and webhooks, and keep the feed.

    Changes become events of the feed, in one order, and are posted to webhooks. Emails go through
    SMTP_URL, also the weekly figures and alerts that staff have chosen. Without it none are sent,
    and neither are warnings to ALERTS_TO: emails wait in the outbox for a worker that has it, and
    are dropped after a day. The log warns of those that wait.
    The address of an erased subscriber is deleted once all webhooks and readers of the feed have
    acknowledged the erasure. It also runs the exports and imports that staff start in the console,
    and writes those that they have saved to EXPORTS_DIR each week; one that is interrupted begins
    again. It also makes their changes to long lists of people.
    Runs until it is stopped. On PostgreSQL, any number of workers may run.
    """
    logs.configure()
    stop = stop_event()
    uses = (KeyKind.SERVER, KeyKind.LINK, KeyKind.IDENTITY)
    opened = opened_database(*uses, long_statements=False, connections=_CONNECTIONS)
    with opened as (settings, database), ExitStack() as stack:
        jobs = [_job_task(settings, stack) for _ in range(_JOBS_AT_ONCE)]
        first, *others = _tasks(settings, database) + jobs
        threads = [Thread(target=each, args=(stop,)) for each in others]
        for each in threads:
            each.start()
        try:
            first(stop)
        finally:
            stop.set()
            for each in threads:
                each.join()


def _tasks(settings: Settings, database: Database) -> list[_Task]:
    client = WebhookClient(settings.webhook_private_networks)
    return [
        *_email_tasks(settings, database),
        Sequencer(database, utc_now).run,
        WebhookWorker(database, client, utc_now).run,
        Erasures(database, utc_now).run,
        ListChanges(database, utc_now).run,
    ]


def _job_task(settings: Settings, stack: ExitStack) -> _Task:
    """Return a runner of jobs with a database of its own, where a statement may take long.

    On SQLite, threads that share one would wait for each other's turn to write.
    """
    database = stack.enter_context(closing(connect(settings, connections=_JOB_CONNECTIONS)))
    zone, folder = settings.time_zone, settings.exports_dir
    return Runner(database, settings.identity_key, utc_now, zone, folder).run


def _email_tasks(settings: Settings, database: Database) -> list[_Task]:
    if settings.smtp_url is None:
        click.echo(f"{PREFIX}SMTP_URL is missing: {_WITHOUT_EMAIL}", err=True)
        return [Unsent(database, utc_now).run]
    check_texts(settings)
    host = urlsplit(settings.smtp_url).hostname
    click.echo(f"Sending through {host} (Ctrl+C stops)", err=True)
    transport = SmtpTransport(settings.smtp_url)
    languages = Languages.of(settings, partial(edited_texts.newer, database))
    worker = Worker(database, transport, settings, languages, utc_now)
    alerts = Alerts(database, transport, settings, utc_now)
    to_staff = StaffEmails(database, settings.time_zone, utc_now)
    tasks: list[_Task] = [worker.run, to_staff.run]
    return [*tasks, alerts.run] if settings.alerts_to is not None else tasks

"""Render the demo's pages, with the values that all of them use."""

from pathlib import Path

from flask import Response, current_app, request

from preference_center.core import topics
from preference_center.demo import campaign
from preference_center.demo.company import READER, TOPICS
from preference_center.web.services import language, render, services, style_source

FOLDER_CONFIG = "DEMO_FOLDER"  # The application's config key for the folder of the demo.
_PAGE_POLICY = (
    "default-src 'none'; style-src 'self' {style}; frame-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
)


def folder() -> Path:
    """Return the folder of the demo."""
    return Path(current_app.config[FOLDER_CONFIG])


def page(template: str, **values: object) -> Response:
    """Return a page of the demo, with what every one of them shows."""
    locale, now = language(), services().clock()
    with services().database.reading() as session:
        names = {topic.slug: topics.name(topic, locale) for topic in topics.list_topics(session)}
    slug = TOPICS[0].slug
    latest = campaign.latest_campaign(folder(), slug)
    links = services().settings.minter().mint(READER, slug, latest, day=now.date())
    text = render(
        template,
        locale,
        reader=READER,
        topics=[new.slug for new in TOPICS],
        names=names,
        today=now.date(),
        now=now,
        preferences_url=links.preferences_url,
        endpoint=request.endpoint,
        **{"refreshes": False} | values,
    )
    response = Response(text, mimetype="text/html")
    response.headers["Content-Security-Policy"] = _PAGE_POLICY.format(style=style_source())
    return response

"""The style sheet, with the brand's accent added. Its name changes with its content."""

import hashlib

from flask import Blueprint, Response

from preference_center.settings.settings import Settings
from preference_center.util import resources
from preference_center.web.access import Caller, open_to

_A_YEAR = "public, max-age=31536000, immutable"


def style_sheet(settings: Settings) -> tuple[str, str]:
    """Return the file name and text of the sheet, which ends with the accent's properties."""
    accent = settings.brand_accent
    text = resources.read("static", "style.css", settings.overrides_dir) + (
        f":root{{--accent:{accent.light};--on-accent:{accent.on_light}}}\n"
        "@media screen and (prefers-color-scheme:dark)"
        f"{{:root{{--accent:{accent.dark};--on-accent:{accent.on_dark}}}}}\n"
    )
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"style-{digest}.css", text


def blueprint(name: str, text: str) -> Blueprint:
    """Return a blueprint with the route that serves the sheet."""
    assets = Blueprint("assets", __name__)

    @assets.get(f"/{name}")
    @open_to(Caller.ANYONE)
    def style() -> Response:
        return Response(text, mimetype="text/css", headers={"Cache-Control": _A_YEAR})

    return assets

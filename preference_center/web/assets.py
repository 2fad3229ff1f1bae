"""The style sheet that each page contains, with the brand's colours added."""

import hashlib
import re
from base64 import b64encode

from preference_center.settings.settings import Settings
from preference_center.util import resources

# A string, a punctuation mark with spaces around it, or other spaces.
_SPACE = re.compile(r"""("[^"]*"|'[^']*')|\s*([{};,])\s*|\s+""")


def style_sheet(settings: Settings) -> str:
    """Return the text of the sheet without comments and unnecessary spaces."""
    accent = settings.brand_accent
    return shortened("style.css", settings) + (
        f":root{{--accent:{accent.light};--button:{accent.button};--on-button:{accent.ink}}}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{--accent:{accent.dark}}}}}"
    )


def shortened(name: str, settings: Settings) -> str:
    """Return the text of a sheet in `static/` without comments and unnecessary spaces."""
    text = resources.read("static", name, settings.overrides_dir)
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
    text = re.sub(r"</(?=style)", r"<\\/", text, flags=re.IGNORECASE)  # It would end the element.
    return _SPACE.sub(lambda found: found[1] or found[2] or " ", text).strip()


def style_source(sheet: str) -> str:
    """Return the source that allows a `<style>` element with this text (CSP, `style-src`)."""
    return f"'sha256-{b64encode(hashlib.sha256(sheet.encode()).digest()).decode()}'"

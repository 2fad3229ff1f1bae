"""The style sheet that each page contains, in the brand's colours; the console's files."""

import hashlib
import re
from base64 import b64encode
from dataclasses import dataclass, replace
from functools import lru_cache

from preference_center.settings.colours import Accent
from preference_center.settings.settings import Settings
from preference_center.util import resources

# A string, a punctuation mark with spaces around it, or other spaces.
_SPACE = re.compile(r"""("[^"]*"|'[^']*')|\s*([{};,])\s*|\s+""")


@dataclass(frozen=True)
class StyleSheet:
    """The style sheet that a page contains. `source` allows it in a Content-Security-Policy."""

    text: str
    source: str


@dataclass(frozen=True)
class ConsoleAssets:
    """The texts of the console's style sheet and script. `version` changes with them."""

    style: str
    script: str

    @property
    def version(self) -> str:
        return hashlib.sha256((self.style + self.script).encode()).hexdigest()[:16]

    def below(self, sheet: StyleSheet) -> "ConsoleAssets":
        """Return the files with a style sheet that begins with that of the other pages."""
        return replace(self, style=sheet.text + self.style)


def console_assets(settings: Settings) -> ConsoleAssets:
    """Return the console's files, with what its style sheet adds to that of the other pages."""
    return ConsoleAssets(
        shortened("console.css", settings),
        resources.read("static", "console.js", settings.overrides_dir),
    )


@lru_cache(maxsize=8)
def coloured(sheet: str, accent: Accent) -> StyleSheet:
    """Return a sheet with the brand's colours."""
    text = sheet + (
        f":root{{--accent:{accent.light};--button:{accent.button};--on-button:{accent.ink}}}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{--accent:{accent.dark}}}}}"
    )
    return StyleSheet(text, style_source(text))


def shortened(name: str, settings: Settings) -> str:
    """Return the text of a sheet in `static/` without comments and unnecessary spaces."""
    text = resources.read("static", name, settings.overrides_dir)
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
    text = re.sub(r"</(?=style)", r"<\\/", text, flags=re.IGNORECASE)  # It would end the element.
    return _SPACE.sub(lambda found: found[1] or found[2] or " ", text).strip()


def style_source(sheet: str) -> str:
    """Return the source that allows a `<style>` element with this text (CSP, `style-src`)."""
    return f"'sha256-{b64encode(hashlib.sha256(sheet.encode()).digest()).decode()}'"

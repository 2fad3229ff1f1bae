"""The catalogue that translators start from holds every text of the templates."""

from pathlib import Path

from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

ROOT = Path(__file__).parent.parent
CATALOGUE = ROOT / "preference_center" / "translations" / "messages.pot"


def test_the_catalogue_is_up_to_date() -> None:
    """After a change of words, run the command that `docs/translating.md` gives."""
    options = {"**": {"trim_blocks": "true", "lstrip_blocks": "true"}}
    found = extract_from_dir(ROOT / "templates", [("**", "jinja2")], options)
    with CATALOGUE.open("rb") as file:
        written = {message.id for message in read_po(file) if message.id}
    assert {message for _, _, message, _, _ in found} == written

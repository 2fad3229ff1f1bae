"""The revision that commands expect is the newest one that `upgrade` runs."""

from pathlib import Path

from alembic.script import ScriptDirectory

from preference_center.store import schema


def test_head_is_the_newest_revision() -> None:
    scripts = ScriptDirectory(str(Path(schema.__file__).parent / "migrations"))
    assert scripts.get_current_head() == schema.HEAD

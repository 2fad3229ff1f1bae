"""Where templates and static files lie: the operator's overrides first, then ours."""

from pathlib import Path

_PACKAGE = Path(__file__).parent.parent


def folders(name: str, overrides: Path | None) -> list[Path]:
    """Return the folders to look in for `name`, `templates` or `static`, the first one winning."""
    in_wheel = _PACKAGE / name
    ours = in_wheel if in_wheel.is_dir() else _PACKAGE.parent / name
    return [ours] if overrides is None else [overrides / name, ours]


def read(name: str, file: str, overrides: Path | None) -> str:
    """Return the text of a file, the operator's own where there is one."""
    candidates = [folder / file for folder in folders(name, overrides)]
    return next(path for path in candidates if path.is_file()).read_text(encoding="utf-8")

"""Find templates and static files: the operator's overrides first, then the package's own."""

from pathlib import Path

_PACKAGE = Path(__file__).parent.parent


def folders(name: str, overrides: Path | None) -> list[Path]:
    """Return the folders of `templates` or `static` files, in order of precedence."""
    in_wheel = _PACKAGE / name
    own = in_wheel if in_wheel.is_dir() else _PACKAGE.parent / name
    return [own] if overrides is None else [overrides / name, own]


def read(name: str, file: str, overrides: Path | None) -> str:
    """Return the text of a file, from the operator's overrides if it is there."""
    candidates = [folder / file for folder in folders(name, overrides)]
    return next(path for path in candidates if path.is_file()).read_text(encoding="utf-8")

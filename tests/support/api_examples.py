"""The examples of `docs/api.md` and `docs/webhooks.md`, and how each language runs them.

They run unchanged, except for addresses of servers:

    for example in api_examples.EXAMPLES:
        example.run({"https://mail.example.org": base_url}, key, folder)
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"^```(sh|python|js)\n(.+?)^```", re.MULTILINE | re.DOTALL)
_CURL = re.compile(r"^curl ", re.MULTILINE)


@dataclass(frozen=True)
class Example:
    """A fenced block of a page: its language, its text and its first line in the page."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}-{self.language}"

    def run(self, replaced: Mapping[str, str], key: str, folder: Path) -> str:
        """Run the example in a folder. Return what it prints; fail if it or a request fails."""
        text = self.text
        for documented, real in replaced.items():
            text = text.replace(documented, real)
        command = [*_command(self.language), _completed(self.language, text, key)]
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        settings = {**os.environ, "PATH": path, "KEY": key, "WEBHOOK_SECRET": "whsec_"}
        done = subprocess.run(
            command, cwd=folder, env=settings, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def _examples() -> Iterator[Example]:
    for page in ("api.md", "webhooks.md"):
        text = (DOCS / page).read_text("utf-8")
        for block in _BLOCK.finditer(text):
            yield Example(page, text.count("\n", 0, block.start()) + 2, *block.groups())


EXAMPLES = list(_examples())


def _command(language: str) -> list[str]:
    if language == "python":
        return [sys.executable, "-c"]
    if language == "sh":
        _require("curl", "curl")
        return ["bash", "-euo", "pipefail", "-c"]
    _require("node", "nodejs")
    return ["node", "--input-type=module", "--eval"]


def _completed(language: str, text: str, key: str) -> str:
    """Return a program: with the key, and such that a request that fails makes it fail."""
    if language == "sh":
        return _CURL.sub("curl --fail-with-body ", text)
    if language == "python":
        return f"KEY = {key!r}\n__name__ = 'example'\n{text}"
    return (
        f"const KEY = {key!r};\n"
        "const send = globalThis.fetch;\n"
        "globalThis.fetch = async (...request) => {\n"
        "  const answer = await send(...request);\n"
        "  if (!answer.ok) throw new Error(await answer.text());\n"
        "  return answer;\n"
        f"}};\n{text}"
    )


def _require(program: str, package: str) -> None:
    """Without the program, skip locally and fail in CI."""
    if shutil.which(program) is not None:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"no {program}: apt-get install {package}")
    pytest.skip(f"no {program}: apt-get install {package}")

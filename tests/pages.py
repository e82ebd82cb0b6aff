"""The pages in ``docs/`` as test cases: their commands are run, and print what the page says they print.

A block of ``sh`` is run by bash; a block of ``json`` right after one is a part of what it prints, in which
``"…"`` stands for anything. After a page has made a credential, the gateway demands it of the next blocks,
which find the secret in ``$SECRET``.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent.parent / "docs"
ANY = "…"
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SECRET = re.compile(
    r"shown again: (?:Authorization: Bearer |X-Api-Key: |user \S+, password |\?\w+=)?(\S+)$", re.MULTILINE
)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page; ``shown`` is the JSON that the page says it prints."""

    page: str
    number: int
    language: str
    text: str
    shown: Any = None

    @property
    def name(self) -> str:
        return f"{self.page}:{self.number}"


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, a JSON block put to the shell block that it follows."""
    found = list(_blocks(page))
    return [
        Block(block.page, block.number, block.language, block.text, _shown(found[place + 1 : place + 2]))
        if block.language == "sh"
        else block
        for place, block in enumerate(found)
    ]


def _blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for match in _FENCED.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield Block(page.relative_to(DOCS).as_posix(), line, match[1], match[2])


def _shown(following: list[Block]) -> Any:
    block = following[0] if following else None
    return json.loads(block.text) if block and block.language == "json" else None


def run(
    block: Block, folder: Path, environ: dict[str, str], replaced: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a shell block to its good end, names in it replaced by those of the test."""
    text = block.text
    for name, own in replaced.items():
        text = text.replace(name, own)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{block.name}: {done.stdout}{done.stderr}"
    return done


def secret(told: str) -> str | None:
    """The secret that ``gateway credentials new`` shows."""
    found = _SECRET.search(told)
    return found[1] if found else None


def is_part_of(shown: Any, whole: Any) -> bool:
    """Whether the page shows a part of what was printed."""
    if shown == ANY:
        return True
    if isinstance(shown, dict) and isinstance(whole, dict):
        return all(name in whole and is_part_of(value, whole[name]) for name, value in shown.items())
    if isinstance(shown, list) and isinstance(whole, list):
        return len(shown) == len(whole) and all(map(is_part_of, shown, whole))
    return bool(shown == whole)

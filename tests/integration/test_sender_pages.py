"""The pages for senders, as somebody reads them: every command is run, on a real gateway."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.processes import GATEWAY, environment, serving
from tests.pages import DOCS, Block, blocks, is_part_of, run, secret

PAGES = [*sorted((DOCS / "senders").glob("*.md")), DOCS / "mappings.md"]
MAPPINGS = DOCS.parent / "deploy" / "mappings"


class Reader:
    """Somebody who types what a page says."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        self._environ = environment({"mappings_dir": str(MAPPINGS)}) | {"SECRET": ""}
        self._gateway = stack.enter_context(serving(folder, mappings_dir=str(MAPPINGS)))

    def type(self, block: Block) -> str:
        own = {
            "127.0.0.1:8080": f"127.0.0.1:{self._gateway.port}",
            ".venv/bin/gateway": str(GATEWAY),
            "deploy/mappings": str(MAPPINGS),
        }
        done = run(block, self.folder, self._environ, own)
        if shown := secret(done.stderr):
            self._environ["SECRET"] = shown
            self._gateway.stop()
            file = str(self.folder / "credentials.toml")
            self._gateway = self._stack.enter_context(
                serving(self.folder, mappings_dir=str(MAPPINGS), credentials_file=file)
            )
        return done.stdout


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    if not shutil.which("curl"):
        if os.environ.get("CI") == "true":
            pytest.fail("there is no curl")
        pytest.skip("there is no curl")
    with ExitStack() as stack:
        yield Reader(tmp_path, stack)


def assert_is_as_shown(block: Block, printed: str) -> None:
    told = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    assert any(is_part_of(block.shown, one) for one in told), f"{block.name}: {printed}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_a_page_does_what_the_page_says(page: Path, reader: Reader) -> None:
    typed = [block for block in blocks(page) if block.language == "sh"]
    assert typed
    for block in typed:
        printed = reader.type(block)
        if block.shown is not None:
            assert_is_as_shown(block, printed)
        elif "curl" in block.text:
            assert '"outcome":"published"' in printed, f"{block.name}: {printed}"

"""Whole conversations by WebSocket are what their transcripts say, to the byte."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.golden.conversing import SAID, played, transcripts

PAGE = Path(__file__).parents[2] / "docs/websocket.md"


@pytest.mark.parametrize("path", transcripts(), ids=lambda path: path.stem)
async def test_a_conversation_goes_as_its_transcript_says(path, mock_clock):
    text = path.read_text(encoding="utf-8")
    assert (await played(text, mock_clock)).splitlines() == text.splitlines()


def quoted(page: str) -> list[list[str]]:
    """The conversations that a page shows, line by line, without remarks."""
    blocks = re.findall(r"^```text\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    shown = [[line for line in block.splitlines() if SAID.fullmatch(line)] for block in blocks]
    return [lines for lines in shown if lines]


def is_said(lines: list[str], text: str) -> bool:
    """Whether a transcript has these lines, in this order; `…` stands for whatever is there."""
    said = iter(text.splitlines())
    return all(any(_is_like(line, other) for other in said) for line in lines)


def _is_like(shown: str, said: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, shown.split("…"))), said) is not None


def test_there_are_conversations():
    assert len(transcripts()) >= 10


@pytest.mark.checkout
def test_what_the_page_quotes_is_said():
    texts = [path.read_text(encoding="utf-8") for path in transcripts()]
    shown = quoted(PAGE.read_text(encoding="utf-8"))
    assert len(shown) > 3
    for lines in shown:
        assert any(is_said(lines, text) for text in texts), lines


def test_the_law_of_quotations_sees_what_is_not_said():
    text = 'ada > {"id": 1}\nada < {"id":1,"ok":{"now":"then"}}\n'
    assert is_said(['ada > {"id": 1}', 'ada < {"id":1,"ok":{…}}'], text)
    assert not is_said(['ada < {"id":1,"ok":{…}}', 'ada > {"id": 1}'], text)
    assert not is_said(['ada < {"id":2,…}'], text)

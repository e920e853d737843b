"""The readme shows what the server itself prints, so that one text is kept and both are right."""

import re
from pathlib import Path

import pytest

from focusmate_server import greeting
from focusmate_server.settings import Settings

README = Path(__file__).parents[2] / "README.md"

pytestmark = pytest.mark.checkout


def test_the_first_steps_are_those_the_server_prints(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(greeting, "_python", lambda: ".venv/bin/python")
    settings = Settings()
    printed = greeting.first_steps(settings.http_bind, settings.realtime_bind)
    shown = re.search(
        r"<!-- first steps: begin -->\n```sh\n(.*?)```\n<!-- first steps: end -->",
        README.read_text(encoding="utf-8"),
        re.DOTALL,
    )
    assert shown
    assert shown[1].strip() == printed.strip()

"""What the documentation shows runs, what it links to exists, and changes are told one by one."""

import ast
import inspect
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import attrs
import httpx
import pytest

from focusmate_core import hookspecs
from focusmate_server import settings
from tests.server.running import PASSWORD, Person, Running, environment

ROOT = Path(__file__).parents[2]
PAGES = {
    path.relative_to(ROOT).as_posix(): path
    for path in sorted(
        [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("plugins/**/*.md")]
    )
}

pytestmark = pytest.mark.checkout


@attrs.frozen
class Block:
    """A fenced block: its language, the words after it, its text and the lines above the text."""

    language: str
    words: tuple[str, ...]
    text: str
    line: int


def blocks_of(page: str) -> Iterator[Block]:
    fence = re.compile(r"^(`{3,})([^\n`]*)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
    for found in fence.finditer(page):
        language, *words = found[2].split() or [""]
        yield Block(language, tuple(words), found[3], page[: found.start(3)].count("\n"))


def program_of(page: str) -> str:
    """The page's Python from top to bottom, each line under its number in the page.

    Every block runs, but for those marked as a fragment (```` ```python fragment ````).
    """
    lines = [""] * (page.count("\n") + 1)
    for block in blocks_of(page):
        if block.language == "python" and "fragment" not in block.words:
            for offset, line in enumerate(block.text.splitlines()):
                lines[block.line + offset] = line
    return "\n".join(lines)


def _texts(language: str) -> list[tuple[str, Block]]:
    return [
        (name, block)
        for name, path in PAGES.items()
        for block in blocks_of(path.read_text(encoding="utf-8"))
        if block.language == language
    ]


WITH_PROGRAMS = [name for name, path in PAGES.items() if program_of(path.read_text()).strip()]


def run_page(name: str, folder: Path) -> str:
    """What the Python of a page prints."""
    program = folder / "page.py"
    program.write_text(program_of(PAGES[name].read_text(encoding="utf-8")), encoding="utf-8")
    command = [sys.executable, "-W", "error", "-I", str(program)]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.replace(str(program), name)
    return done.stdout


@pytest.mark.parametrize("name", WITH_PROGRAMS)
def test_the_python_of_a_page_runs_from_top_to_bottom(name, tmp_path):
    run_page(name, tmp_path)


EXAMPLES = {path.name: path for path in sorted((ROOT / "examples").glob("[0-9]*.py"))}
SHOWN_IN = {
    "01_embed.py": "README.md",
    "02_month.py": "docs/time.md",
    "03_together.py": "docs/credit.md",
    "04_by_hand.py": "docs/http.md",
}
WITH_A_SERVER = {"03_together.py", "04_by_hand.py"}


def run_example(name, folder, *words):
    """What an example prints."""
    command = [sys.executable, "-W", "error", "-I", str(EXAMPLES[name]), *words]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", [each for each in EXAMPLES if each not in WITH_A_SERVER])
def test_every_example_runs(name, tmp_path):
    assert run_example(name, tmp_path)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_shown_in_its_page(name):
    page = PAGES[SHOWN_IN[name]].read_text(encoding="utf-8")
    _, _, program = EXAMPLES[name].read_text(encoding="utf-8").partition('"""\n\n')
    assert program in [block.text for block in blocks_of(page)]


def test_the_month_comes_out_as_its_page_shows_it(tmp_path):
    page = PAGES[SHOWN_IN["02_month.py"]].read_text(encoding="utf-8")
    assert run_example("02_month.py", tmp_path) in [block.text for block in blocks_of(page)]


def test_two_people_see_each_other_and_are_told_that_seconds_are_no_session(tmp_path):
    with Running(tmp_path) as server:
        words = (server.http, server.realtime, "--seconds=2")
        seen = run_example("03_together.py", tmp_path, *words).splitlines()
    assert {
        "Ada finds Ada",
        "Ada sees timer.started Ada",
        "Ada sees presence.entered Ben",
        "Ben finds Ada, Ben",
        "Ada sees timer.completed Ada a break of PT5M would be good",
        "Ben sees timer.completed Ada a break of PT5M would be good",
    } < set(seen)
    assert seen[-2:] == [
        "Ada has no session: it was less than a minute",
        "Ben has no session: it was less than a minute",
    ]


def test_a_client_by_hand_does_what_its_page_shows(tmp_path):
    with Running(tmp_path) as server:
        said = run_example("04_by_hand.py", tmp_path, server.http)
    page = PAGES[SHOWN_IN["04_by_hand.py"]].read_text(encoding="utf-8")
    assert said in [block.text for block in blocks_of(page)]


def test_every_block_that_is_no_program_can_at_least_be_read():
    readers = {"python": ast.parse, "json": json.loads, "toml": tomllib.loads}
    for language, read in readers.items():
        for name, block in _texts(language):
            try:
                read(block.text)
            except (SyntaxError, ValueError) as wrong:
                pytest.fail(f"{name}, line {block.line + 1}: {wrong}")


def _anchors(page: Path) -> set[str]:
    """What GitHub makes of the headings."""
    found = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in found}


def dead_links(path: Path) -> list[str]:
    """The links of a page, to files or headings of the repository, that lead nowhere."""
    text = re.sub(r"(?ms)^```.*?^```|`[^`\n]*`", "", path.read_text(encoding="utf-8"))
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        found = (path.parent / target).resolve() if target else path
        if not found.exists() or (anchor and anchor not in _anchors(found)):
            dead.append(link)
    return dead


FOR_PLUGINS = ROOT / "docs/write-a-plugin.md"


def undocumented(page: str, hooks: object) -> list[str]:
    """The hooks whose name with its arguments, `open_storage(url)`, is not in the page."""
    asked = {
        f"{name}({', '.join(inspect.signature(hook).parameters)})"
        for name, hook in vars(hooks).items()
        if hasattr(hook, f"{hookspecs.GROUP}_spec")
    }
    return sorted(hook for hook in asked if f"`{hook}`" not in page)


@pytest.mark.skipif(not FOR_PLUGINS.exists(), reason="the page for plugin authors is to come")
def test_every_hook_is_in_the_page_for_plugin_authors_with_its_arguments():
    assert undocumented(FOR_PLUGINS.read_text(encoding="utf-8"), hookspecs) == []


def test_the_law_of_hooks_sees_what_is_missing():
    missing = undocumented("`open_storage(url)`", hookspecs)
    assert "register_features()" in missing
    assert "open_storage(url)" not in missing


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name):
    assert dead_links(PAGES[name]) == []


def test_every_make_target_that_a_page_names_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for name, path in PAGES.items():
        named = set(re.findall(r"(?:`|^\$? ?)make ([a-z]+)", path.read_text(), re.MULTILINE))
        assert named <= targets, name


def test_every_setting_that_a_page_names_exists():
    known = {f"{settings.PREFIX}{name.upper()}" for name in attrs.fields_dict(settings.Settings)}
    for name, path in PAGES.items():
        named = set(re.findall(rf"\b{settings.PREFIX}[A-Z_]+\b", path.read_text(encoding="utf-8")))
        assert named <= known | {settings.CONFIG, *settings.OTHERS}, name


OPERATIONS = ROOT / "docs/operations.md"


@pytest.mark.parametrize("name", settings.NAMES)
def test_every_setting_is_told_with_its_default(name):
    (cell,) = re.findall(rf"^\| `{name}` \| (.+?) \|", OPERATIONS.read_text(), re.MULTILINE)
    setting, said = settings.NAMES[name], cell.strip("`")
    if setting.default is not None:
        assert setting.metadata["read"]("" if said == "none" else said) == setting.default


def shell_of(name: str, heading: str = "") -> str:
    """What a page, or the part under a heading, has one type into a shell, but for fragments."""
    page = PAGES[name].read_text(encoding="utf-8")
    part = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0] if heading else page
    found = [block for block in blocks_of(part) if block.language == "sh"]
    return "".join(block.text for block in found if "fragment" not in block.words)


def type_in(script: str, folder: Path, within: int = 60) -> str:
    """What a shell prints, in which `focusmate` and `python` are those that are tested."""
    (folder / "bin").mkdir()
    for name, started in {"focusmate": "-m focusmate_server", "python": ""}.items():
        program = folder / "bin" / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {started} "$@"\n')
        program.chmod(0o755)
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    printed = folder / "printed"
    with printed.open("w") as paper:
        done = subprocess.run(
            ["bash", "-eu"],
            input=script,
            cwd=folder,
            env=environment(PATH=path),
            stdout=paper,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=within,
            check=False,
        )
    assert done.returncode == 0, printed.read_text()
    return printed.read_text()


def test_a_backup_made_and_restored_as_the_page_says_is_a_server_s_again(tmp_path):
    with Running(tmp_path) as server, Person(server.http, "ada") as ada:
        room = ada.do("rooms.open", name="Library")
        type_in(shell_of("docs/operations.md", "Backup"), tmp_path)
    with Running(tmp_path / "restored") as server:
        headers = {"Authorization": f"Bearer {ada.token}"}
        found = httpx.get(f"{server.http}/v1/rooms/{room['id']}", headers=headers)
        assert found.json()["name"] == "Library"


def test_the_first_admin_is_made_as_the_page_says_whoever_has_a_name_like_theirs(tmp_path):
    with Running(tmp_path) as server, Person(server.http, "ada") as ada:
        like_hers = {**BEN, "email": "a@example.org", "username": "adalbert"}
        httpx.post(f"{server.http}/v1/accounts", json={**like_hers, "display_name": "ada ada"})
        printed = type_in(shell_of("docs/operations.md", "The first admin"), tmp_path)
        assert json.loads(printed) == {"person_id": ada.id, "roles": ["admin"]}
        ada.sign_in()
        ben = httpx.post(f"{server.http}/v1/accounts", json=BEN).json()["id"]
        assert ada.do("people.change_roles", person_id=ben, roles=["moderator"])


BEN = {"email": "ben@example.org", "username": "ben", "password": PASSWORD}
TUTORIAL = "docs/tutorial.md"


def until(*printed: str) -> str:
    """What waits for these words on the paper, however long a machine needs for them."""
    asked = " && ".join(f"grep -q '{words}' printed" for words in printed)
    return f"until {asked}; do sleep 0.1; done"


def follow_the_tutorial(folder: Path, *, is_patient: bool) -> str:
    """What its commands print; a whole phase passes only for who is patient."""
    work = until("Ben sees timer.started", " ada started work of 1 min")
    waits = {
        "sleep 3": until("Ben sees .*snapshot", " timer: work, idle"),
        "sleep 85": "sleep 85" if is_patient else work,
    }
    with Running(folder) as server:
        script = shell_of(TUTORIAL).replace("http://127.0.0.1:8000", server.http)
        script = script.replace("ws://127.0.0.1:8001/v1/ws", server.realtime)
        for said, done in waits.items():
            assert script.count(f"{said}\n") == 1
            script = script.replace(f"{said}\n", f"{done}\n")
        return type_in(script, folder, within=300 if is_patient else 100)


def test_the_tutorial_leads_from_nothing_to_a_room_with_friends(tmp_path):
    printed = follow_the_tutorial(tmp_path, is_patient=False)
    steps = ('"username":"ada"', "rooms.not_found", '"may_join":true', '"seated":2')
    assert [step for step in steps if step not in printed] == []
    assert "Ben sees rooms.closed" in printed


@pytest.mark.torture
def test_who_has_the_patience_of_the_tutorial_sees_the_minutes(tmp_path):
    printed = follow_the_tutorial(tmp_path, is_patient=True)
    assert "Ben sees timer.phase_ended" in printed
    assert '"why":"1 min"' in printed
    assert '"focused":"PT1M"' in printed


def test_the_program_of_the_tutorial_prints_what_the_page_says(tmp_path):
    page = PAGES[TUTORIAL].read_text(encoding="utf-8")
    (shown,) = (block.text for block in blocks_of(page) if block.language == "text")
    assert run_page(TUTORIAL, tmp_path) == shown


def test_no_page_says_where_it_was_written():
    for name, path in PAGES.items():
        found = re.findall(r"(?:/work|/tmp|/root|/home/\w+)/\S+", path.read_text())
        assert found == [], name


FRAGMENTS = [
    path for path in sorted((ROOT / "docs/changelog").glob("*")) if path.name != "README.md"
]


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.name)
def test_a_changelog_fragment_is_a_few_sentences_under_a_topic_and_a_kind(path):
    kinds = "added|changed|fixed|removed|security"
    assert re.fullmatch(rf"[a-z0-9]+(-[a-z0-9]+)*\.({kinds})\.md", path.name)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert 1 <= len(lines) <= 5
    assert all(re.fullmatch(r"[^#\s].*[.!:]`?", line) for line in lines)


PAGE = """# Title

```python
one = 1
```

```python fragment
two = undefined
```

```python
assert one == 1
```

[here](#title) and [nowhere](#titles) and [gone](gone.md) `[code](x.md)`
"""


def test_the_laws_see_the_blocks_and_the_links(tmp_path):
    program = program_of(PAGE).splitlines()
    assert {number: line for number, line in enumerate(program, 1) if line} == {
        4: "one = 1",
        12: "assert one == 1",
    }
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    assert dead_links(page) == ["#titles", "gone.md"]

"""What the pages say is so: collection files can be read, commands and their options exist, links lead somewhere."""

import re
import runpy
from pathlib import Path

import pytest
import typer.main

from vidcap_assets.cli import app
from vidcap_assets.collection.file import CollectionFile

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_collection_files_can_be_read(page: Path) -> None:
    for text in blocks(page, "yaml"):
        if text.startswith("type: vidcap_assets.Collection") and "brightness" not in text:
            assert CollectionFile(Path("/somewhere/vidcap.yaml"), text).settings.annotators


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_options_exist(page: Path) -> None:
    for line in re.findall(r"(?:`|bin/)vidcap ([a-z]+(?: [^`\n#|]*)?)", page.read_text(), re.MULTILINE):
        name, *words = line.split()
        assert name in COMMANDS, f"{page.name}: vidcap {line}"
        known = {option for one in COMMANDS[name].params for option in (*one.opts, *one.secondary_opts)}
        for word in words:
            if word.startswith("--"):
                assert word.partition("=")[0] in known, f"{page.name}: vidcap {line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target.strip()).exists(), f"{page.name}: {target}"


def test_every_command_stands_in_a_page() -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    assert [name for name in COMMANDS if f"vidcap {name}" not in text] == []


def test_the_tables_of_the_page_on_scale_are_those_of_the_script() -> None:
    tables = runpy.run_path(str(ROOT / "benchmarks" / "roofline.py"))["tables"]()
    assert tables in (ROOT / "docs" / "scale.md").read_text()


OPEN_SORA = ROOT / "docs" / "coming-from-open-sora.md"


def test_the_entries_of_the_page_on_open_sora_are_entries() -> None:
    entries = re.findall(r"\| `(\{kind: .+?\})` \|$", OPEN_SORA.read_text(), re.MULTILINE)
    for entry in entries:
        text = (
            f"type: vidcap_assets.Collection\nattributes:\n  source: /clips\n  annotators:\n    - {entry}\n"
        )
        assert CollectionFile(Path("/somewhere/vidcap.yaml"), text).settings.working
    assert len(entries) == 9

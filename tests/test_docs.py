"""Documentation is true: its blocks run, its tables are what code and data say, its links lead somewhere."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pages import blocks, compare, run_page, run_page_apart

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
TUTORIALS = sorted((DOCS / "tutorials").glob("*.md"))
NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.ipynb"))
PAGES = sorted(path for path in DOCS.rglob("*.md") if "tables" not in path.parts)
# All are run by `make docs-check`.
GUIDES = [DOCS / f"{name}.md" for name in ("several_worms", "your_own_loop", "senses")]
GUIDES += sorted((DOCS / "learning").glob("*.md"))

sys.path.insert(0, str(DOCS / "tables"))


@pytest.mark.slow
@pytest.mark.parametrize("page", [*TUTORIALS, *GUIDES], ids=lambda path: path.stem)
def test_a_tutorial_or_guide_runs_as_written_and_prints_what_it_shows(page, tmp_path):
    run_page_apart(page, tmp_path)


def test_every_tutorial_that_was_asked_for_is_there():
    asked = {"first_crawl", "ablation", "knock_out", "own_stimulus", "sweep", "export", "own_connectome"}
    assert asked <= {path.stem for path in TUTORIALS}


@pytest.mark.slow
def test_the_python_of_the_readme_runs(tmp_path):
    # The import stands in the first block; the cell under the pipette comes before the worms, beside which it is slow.
    page = tmp_path / "page.md"
    text = (ROOT / "README.md").read_text(encoding="utf-8").replace("awc = ", "import tianbao as tb\n\nawc = ")
    page.write_text(text, encoding="utf-8")
    run_page_apart(page, tmp_path, replaced={"10_000.0": "400.0"}, languages=("python",), first="PatchedCell")
    assert {path.name for path in tmp_path.iterdir()} >= {"kymograph.png", "crawl.h5", "awc.png"}


@pytest.mark.slow
def test_the_commands_of_the_readme_run(tmp_path):
    # Shorter runs and a shorter sweep; the viewer takes a picture, and the GUI, a program of others, explains itself.
    plan = (ROOT / "sims" / "sweep_viscosity.toml").read_text(encoding="utf-8")
    (tmp_path / "short.toml").write_text(plan.replace("8000.0", "40.0").replace("steps = 4", "steps = 2"))
    first = "```console\n$ tianbao run --duration 400 --engine native --out output/forward_crawl\n```\n"
    (tmp_path / "page.md").write_text(first + (ROOT / "README.md").read_text(encoding="utf-8"))
    look = "--screenshot worm.png" if importlib.util.find_spec("pyvista") else "--help"
    replaced = {
        "tianbao run my.toml": "tianbao run my.toml --duration 400",
        "tianbao run --do": "tianbao run --duration 400 --engine native --do",
        "tianbao view output/forward_crawl": f"tianbao view output/forward_crawl {look}",
        "sims/sweep_viscosity.toml": "short.toml",
        "tianbao gui": "tianbao gui --help",
    }
    run_page(tmp_path / "page.md", tmp_path, replaced, languages=("console",))
    written = {path.relative_to(tmp_path / "output").as_posix() for path in (tmp_path / "output").rglob("*")}
    assert {"no_avb/results.h5", "forward_crawl/report.html", "forward_crawl/track.wcon", "short/table.csv"} <= written


@pytest.mark.slow
def test_the_python_of_the_page_of_results_runs(tmp_path):
    first = "```console\n$ tianbao run --duration 400 --engine native --no-video --out output/wild\n```\n"
    (tmp_path / "page.md").write_text(first + (DOCS / "results.md").read_text(encoding="utf-8"))
    run_page_apart(tmp_path / "page.md", tmp_path)


def test_the_commands_of_the_readme_are_targets_and_scripts():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shells = [each for each in blocks(text) if each.language in ("", "sh", "bash", "console")]
    plain = [line for each in shells for line in each.text.splitlines()]
    spans = re.findall(r"`((?:make|python sims/|tianbao)[^`]*)`", text)
    said = [line.split("#")[0].strip().removeprefix("$ ") for line in plain] + spans
    for command in filter(None, said):
        for word in re.findall(r"\bmake ([a-z-]+)", command):
            shown = subprocess.run(["make", "-n", word], cwd=ROOT, capture_output=True, text=True, check=False)
            assert shown.returncode == 0, command
        for script in re.findall(r"\bsims/\w+\.py", command):
            assert (ROOT / script).exists(), command
        if found := re.match(r"tianbao ([a-z][a-z-]*)", command):
            assert found[1] in sub_commands(), command


def sub_commands() -> set[str]:
    return set(re.findall(r"^## tianbao (\S+)", (DOCS / "command_line.md").read_text(encoding="utf-8"), re.MULTILINE))


def test_tables_on_the_pages_are_what_code_and_data_give():
    done = subprocess.run([sys.executable, DOCS / "tables", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_claim_that_the_data_do_not_bear_out_is_told():
    import claims

    row = {"claim": "it flies", "table": "controls.csv", "where": 'control == "intact"', "column": "forward_speed_mm_s"}
    assert "**no**" in claims._row({**row, "low": 10.0})
    assert "| yes |" in claims._row({**row, "high": 10.0})
    with pytest.raises(SystemExit, match="matches no row"):
        claims._row({**row, "where": 'control == "flight"'})


def test_the_interventions_on_the_page_of_perturbations_can_be_done():
    import tomllib

    from tianbao.interventions import apply, parse_command
    from tianbao.worm import Worm

    page = blocks((DOCS / "perturbations.md").read_text(encoding="utf-8"))
    tables = tomllib.loads(next(each.text for each in page if each.language == "toml"))["interventions"]
    words = re.findall(r'--do "(.*?)"', next(each.text for each in page if each.language == "sh"))
    for table in [*tables, *map(parse_command, words)]:
        apply(Worm(), table)
    exec(next(each.text for each in page if each.language == "python"), {})


def test_the_examples_of_the_configuration_are_configurations():
    import tomllib

    from tianbao.config import RunConfig

    pages = ("configuration", "several_worms", "senses")
    page = [each for name in pages for each in blocks((DOCS / f"{name}.md").read_text(encoding="utf-8"))]
    for block in page:
        if block.language == "toml":
            RunConfig().updated(tomllib.loads(block.text))
    for block in blocks((DOCS / "configuration.md").read_text(encoding="utf-8")):
        if block.language == "python":
            exec(block.text, {})


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_to_files_and_headings(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.exists(), f"{page.name}: {target}"
        if anchor:
            heads = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}
            assert anchor in slugs, f"{page.name}: {target}"


def test_every_page_is_reached_from_the_index():
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    for page in PAGES:
        name = page.relative_to(DOCS).with_suffix("").as_posix()
        assert name == "index" or re.search(rf"^{re.escape(name)}$", index, re.MULTILINE), f"{name} is in no toctree"


def test_every_package_and_module_is_in_the_architecture():
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    packages = [path.parent.name for path in (ROOT / "tianbao").glob("*/__init__.py")]
    single = [path.name for path in (ROOT / "tianbao").glob("*.py") if path.name != "__init__.py"]
    assert not [name for name in packages if f"tianbao/{name}/" not in text]
    assert not [name for name in single if f"`{name}`" not in text and f"tianbao/{name}`" not in text]


def test_nothing_in_the_docs_names_a_machine():
    own = [*PAGES, *DOCS.glob("*.py"), *(DOCS / "tables").iterdir(), *NOTEBOOKS]
    for path in own:
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            assert not [word for word in ("/home/", "/root/", "/Users/", "/work/") if word in text], path.name


def test_the_runner_notices_what_a_page_says_wrongly(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```python\nprint('speed', 0.17)\n```\n\n```text\nspeed 0.18\n```\n")
    run_page(page, tmp_path)
    page.write_text("```python\nprint('speed', 0.17)\n```\n\n```text\nspeed 0.25\n```\n")
    with pytest.raises(AssertionError, match="was not printed"):
        run_page(page, tmp_path)
    page.write_text("```console\n$ tianbao neurons AVAX\n```\n")
    with pytest.raises(AssertionError, match="ended with 2"):
        run_page(page, tmp_path)
    with pytest.raises(AssertionError, match="'b' was not printed"):
        compare("b\n", "a\nc\n", "page")


def test_notebooks_are_committed_with_small_outputs_of_their_own_code():
    import notebooks

    assert len(NOTEBOOKS) >= 2
    for path in NOTEBOOKS:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        assert not list(notebooks.faults(notebook)), path.name
        shown = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
        assert any("image/png" in output.get("data", {}) for output in shown), path.name
    code = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    code["source"] += "\nnone_of_this_was_run()"
    assert "its outputs are of other code" in list(notebooks.faults(notebook))


def test_readme_and_index_open_with_the_worm_moving():
    from PIL import Image

    for page in (ROOT / "README.md", DOCS / "index.md"):
        top = page.read_text(encoding="utf-8").split("\n\n")[1]
        alternative, target = re.fullmatch(r"!\[(.+)\]\((.+)\)", top).groups()
        assert len(alternative.split()) > 5
        path = page.parent / target
        assert path.stat().st_size < 900_000
        with Image.open(path) as picture:
            assert picture.n_frames > 50 and picture.info["loop"] == 0
            first = picture.convert("L").tobytes()
            picture.seek(picture.n_frames // 2)
            assert picture.convert("L").tobytes() != first


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("image/png" in each.get("data", {}) for each in shown)


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    for package in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(package)
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", DOCS, tmp_path / "site"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "tianbao.Worm.ablate" in (tmp_path / "site" / "api.html").read_text(encoding="utf-8")
    for path in NOTEBOOKS:
        page = (tmp_path / "site" / "notebooks" / f"{path.stem}.html").read_text(encoding="utf-8")
        assert "<table" in page and page.count("<img") >= 2

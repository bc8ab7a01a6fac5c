"""The project as a whole: what it ships, what its parts may load, what its files promise."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import focusviewer
from focusviewer.core.files import resource_path

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted((ROOT / "focusviewer").rglob("*.py"))
LONGEST_MODULE, LARGEST_FOLDER = 400, 15


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def loaded_after(statement: str) -> set[str]:
    code = f"{statement}; import sys; print(' '.join(name.partition('.')[0] for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def settings() -> dict[str, object]:
    content: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return content


def test_the_version_is_one_and_is_in_the_changelog() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", focusviewer.__version__)
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"[{focusviewer.__version__}]" in changelog or "[Unreleased]" in changelog


def test_the_installed_version_is_that_of_the_code() -> None:
    try:
        installed = importlib.metadata.version("focusviewer")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("running from the source tree, not installed")
    assert installed == focusviewer.__version__


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), f"{path} has no docstring"


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_every_module_postpones_annotations_and_stays_readable(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if path.name not in ("__init__.py", "__main__.py"):
        assert "from __future__ import annotations" in text
    assert len(text.splitlines()) <= LONGEST_MODULE


def test_no_folder_holds_more_modules_than_one_can_look_over() -> None:
    folders = {path.parent for path in MODULES}
    sizes = {str(folder.relative_to(ROOT)): len(list(folder.glob("*.py"))) for folder in folders}
    assert {folder: size for folder, size in sizes.items() if size > LARGEST_FOLDER} == {}


def test_signals_of_widgets_are_blocked_in_one_place() -> None:
    blocking = [module_name(path) for path in MODULES if "blockSignals" in path.read_text(encoding="utf-8")]
    assert blocking == ["focusviewer.app.services.binding"]


def test_contributing_names_folders_and_files_that_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rooms = set(re.findall(r"^(\w+)/ +\w", text, re.M))
    assert rooms == {path.parent.name for path in (ROOT / "focusviewer").glob("*/__init__.py")}
    named = {name for name in re.findall(r"`([\w./-]+/[\w.-]*)`", text) if not re.search("[A-Z]{2}", Path(name).name)}
    assert len(named) > 20
    missing = {name for name in named if not any((base / name).exists() for base in _bases())}
    # One is there in the wheel only, the other beside the project where somebody has put it.
    assert missing - {"../shared/data"} == {"focusviewer/resources"}


def _bases() -> list[Path]:
    """Where a path in CONTRIBUTING may begin: the project, the package, the window, the tests."""
    return [ROOT, ROOT / "focusviewer", ROOT / "focusviewer" / "app", ROOT / "tests", ROOT.parent / "shared"]


@pytest.mark.parametrize(
    ("room", "forbidden"),
    [
        ("slides", {"torch", "PySide6", "skimage"}),
        ("stacking", {"torch", "PySide6", "skimage"}),
        ("restoration", {"torch", "PySide6", "skimage"}),
        ("focus", {"torch", "PySide6", "skimage"}),
        ("refocus", {"torch", "PySide6", "skimage"}),
        ("app", {"torch", "skimage", "scipy", "pyqtgraph"}),
        ("app.program", {"torch", "skimage", "scipy", "pyqtgraph"}),
        ("cli", {"torch", "PySide6", "skimage", "scipy"}),
        ("bench", {"torch", "PySide6"}),
    ],
)
def test_importing_a_room_stays_light(room: str, forbidden: set[str]) -> None:
    assert not loaded_after(f"import focusviewer.{room}") & forbidden


@pytest.mark.parametrize("parts", [("weights",), ("icons", "focusviewer.svg"), ("help",)])
def test_resources_are_found(parts: tuple[str, ...]) -> None:
    assert resource_path(*parts).exists()


def test_a_missing_resource_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="weights/nothing"):
        resource_path("weights", "nothing")


def test_every_weights_file_has_a_model_card_with_the_facts() -> None:
    for weights in resource_path("weights").glob("*.safetensors"):
        card = weights.with_suffix(".md").read_text(encoding="utf-8")
        for fact in ("Data", "Command", "Hardware", "Figures", "Limits"):
            assert fact in card, f"{weights.stem}.md does not tell {fact}"


def test_the_default_models_are_shipped() -> None:
    from focusviewer.focus import DEFAULT_MODEL, models
    from focusviewer.refocus import DEFAULT_ENGINE, engines

    available = {entry.name for entry in [*models(), *engines()] if entry.available}
    assert {DEFAULT_MODEL, DEFAULT_ENGINE} <= available


def test_constraints_pin_every_direct_dependency() -> None:
    lines = (ROOT / "packaging" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[\w.]+", pin) for pin in pins)
    pinned = {pin.partition("==")[0] for pin in pins}
    project = settings()["project"]
    assert isinstance(project, dict)
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.split(r"[\[<>=~! ;]", requirement)[0].lower().replace("_", "-") for requirement in wanted}
    assert names <= pinned


def test_the_resources_go_into_the_wheel() -> None:
    tool = settings()["tool"]
    assert isinstance(tool, dict)
    target = tool["hatch"]["build"]["targets"]["wheel"]
    assert target["packages"] == ["focusviewer"]
    assert target["force-include"] == {"resources": "focusviewer/resources"}


@pytest.mark.skipif(sys.platform == "win32", reason="scripts for make")
@pytest.mark.parametrize("script", [".ci/run", "packaging/make-venv", "packaging/system-libs"])
def test_scripts_can_be_run(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)
    assert subprocess.run(["bash", "-n", ROOT / script], check=False).returncode == 0


def test_the_readme_names_commands_that_exist() -> None:
    from typer.main import get_command

    from focusviewer.cli.program import app

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^focusviewer ([a-z]+)", text, re.MULTILINE))
    known = set(getattr(get_command(app), "commands", {}))
    assert named, "the README shows no command"
    assert named <= known

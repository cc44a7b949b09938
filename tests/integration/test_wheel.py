from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.resources import files
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCHEMA = "mkdocs_gptimage/schema/image-spec.schema.json"
CHECK = """
import sys
from importlib.metadata import distribution
from pathlib import Path
import mkdocs_gptimage
from mkdocs_gptimage.spec.model import SiteDefaults
from mkdocs_gptimage.spec.parse import parse_block
assert Path(mkdocs_gptimage.__file__).is_relative_to(sys.argv[1]), mkdocs_gptimage.__file__
print(parse_block("prompt: a\\nsize: 16:10", SiteDefaults(), None).problems)
print(parse_block("prompt: a\\nsize: 16:9", SiteDefaults(), None).spec.size)
print([(point.group, point.name, callable(point.load())) for point in distribution("mkdocs-gptimage").entry_points])
"""


def run(*command: str, cwd: Path = ROOT, **environment: str) -> str:
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=cwd, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the package, built from a copy: setuptools leaves its work beside the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("schema", "mkdocs_gptimage"):
        shutil.copytree(ROOT / name, source / name)
    out = folder / "out"
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source))
    return next(out.glob("*.whl"))


def test_schema_in_the_wheel(wheel):
    """The wheel carries the schema, byte by byte, and says that it is typed."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        data = archive.read(SCHEMA)

    assert data == (ROOT / "schema" / "image-spec.schema.json").read_bytes()
    assert "mkdocs_gptimage/py.typed" in names
    assert not [name for name in names if name.startswith(("tests", "schema/"))]


def test_wheel_has_every_module(wheel):
    """What the checkout can import, the wheel has."""
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.endswith(".py")}

    expected = {path.relative_to(ROOT).as_posix() for path in (ROOT / "mkdocs_gptimage").rglob("*.py")}
    assert packed == expected | {"mkdocs_gptimage/schema/__init__.py"}


def test_installed_wheel_works(wheel, tmp_path):
    """An installed wheel checks a block with the schema that it brought, and its entry points lead to something."""
    target = tmp_path / "site-packages"
    run(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", str(target), str(wheel))

    output = run(sys.executable, "-c", CHECK, str(target), cwd=tmp_path, PYTHONPATH=str(target))

    assert output.splitlines() == [
        """((1, "size: '16:10' is not a size; did you mean '16:9'?"),)""",
        "16:9",
        "[('console_scripts', 'gptimage', True), ('mkdocs.plugins', 'gptimage', True)]",
    ]


def test_schema_of_the_checkout():
    """An editable install reads the same schema from where it lies."""
    data = files("mkdocs_gptimage.schema").joinpath("image-spec.schema.json").read_bytes()

    assert json.loads(data) == json.loads((ROOT / "schema" / "image-spec.schema.json").read_bytes())

"""The page and the patch for the maintainers of the SDK: fresh, short, and right for the newest wheel."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import openai
import pytest
from openai.types.responses.response import IncompleteDetails
from openai.types.responses.response_error import ResponseError

from runoutcome import Catalog

pytestmark = pytest.mark.once  # the words are those of the newest line

ROOT = Path(__file__).parents[2]
GENERATOR = runpy.run_path(str(ROOT / "exports" / "upstream" / "generate.py"))
PAGE, PATCH = GENERATOR["PAGE"], GENERATOR["PATCH"]


@pytest.mark.parametrize(("path", "make"), [(PAGE, GENERATOR["page"]), (PATCH, GENERATOR["patch"])])
def test_fresh(path: Path, make: Callable[[Catalog], str], catalog: Catalog) -> None:
    """The committed file is what is made from the catalog now."""
    assert path.read_bytes() == make(catalog).encode(), f"{path.name} is stale; `make upstream` renews it"


def test_the_page_is_short() -> None:
    """The page fits on one screen and a half."""
    assert len(PAGE.read_text("utf-8").splitlines()) <= 90


def test_all_words_of_the_types(catalog: Catalog) -> None:
    """The rows are the words in the types of the newest SDK: none is missing, none is more."""
    reasons = get_args(IncompleteDetails.model_fields["reason"].annotation)[0]
    types = (ResponseError.model_fields["code"].annotation, reasons)
    for field, words in zip(GENERATOR["FIELDS"], types, strict=True):
        assert {row.value for row in GENERATOR["rows_of"](catalog, field)} == set(get_args(words))


def test_the_contested_come_first() -> None:
    """The rows with another view are above all others."""
    rows = re.findall(r"^\| \[`.*\| (.*) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    contested = [bool(views.strip()) for views in rows]
    assert len(rows) == 25
    assert contested == sorted(contested, reverse=True)


def test_the_patch_is_small(catalog: Catalog) -> None:
    """The patch adds about 40 lines of code to the SDK, not counting blank ones."""
    lines = [line for line in GENERATOR["module"](catalog).splitlines() if line.strip()]
    assert len(lines) <= 45


@pytest.fixture(scope="session")
def patched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the installed SDK, laid out as its repository, with the patch applied."""
    if shutil.which("git") is None:
        pytest.skip("applying a patch needs git")
    root = tmp_path_factory.mktemp("upstream")
    package = Path(str(openai.__file__)).parent
    shutil.copytree(package, root / "src" / "openai", ignore=shutil.ignore_patterns("__pycache__"))
    _run(root, "git", "apply", "--verbose", str(PATCH))
    return root


def test_its_own_tests_pass_on_the_newest_wheel(patched: Path) -> None:
    """The patch applies to the newest wheel, and the tests that it brings pass there."""
    options = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-c", os.devnull, "--rootdir", ".")
    output = _run(patched, sys.executable, "-m", "pytest", *options, "tests/lib/responses/test_raise_for_status.py")
    assert " passed" in output


def _run(root: Path, *command: str) -> str:
    env = {**os.environ, "PYTHONPATH": str(root / "src"), "GIT_CEILING_DIRECTORIES": str(root.parent)}
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout

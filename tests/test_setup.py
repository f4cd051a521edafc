"""Setting up: what is missing is said in one sentence, and nothing is done twice."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.support import CHECKOUT

INSTALL = CHECKOUT / "requirements" / "install.sh"


def install(folder: Path, python: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHON": python}
    return subprocess.run(
        [INSTALL, "run.txt"], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def fake_python(folder: Path, script: str) -> str:
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (None, "Python 3.11, 3.12 or 3.13 is needed"),
        ("exit 1", "Python 3.11, 3.12 or 3.13 is needed"),  # as an older one answers
        ('case "$2" in *venv*) exit 1;; esac', "Python's venv module is missing"),
    ],
    ids=["no python", "another python", "no venv"],
)
def test_what_is_missing_is_one_sentence(tmp_path: Path, script: str | None, words: str) -> None:
    result = install(tmp_path, fake_python(tmp_path, script) if script else str(tmp_path / "nowhere"))
    assert result.returncode == 1
    assert words in result.stderr
    assert "apt-get install" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_where_uv_fails_pip_installs_what_the_lock_names_and_no_more(tmp_path: Path) -> None:
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, script in [("uv", "exit 1"), ("python", 'echo "$@" > asked')]:
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    assert install(tmp_path, "python3").returncode == 0
    asked = (tmp_path / "asked").read_text().split()
    assert asked[:3] == ["-m", "pip", "install"]
    assert {"--no-deps", "--require-hashes", "run.txt"} <= set(asked)


def test_a_set_up_checkout_is_not_set_up_again() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    result = subprocess.run(
        ["make", ".venv/.run", ".venv/.dev"], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout.count("is up to date") == 2


@pytest.mark.parametrize("name", ["run", "small", "dev", "uv", "cluster"])
def test_the_lock_files_have_hashes_and_no_hosts(name: str) -> None:
    text = (CHECKOUT / "requirements" / f"{name}.txt").read_text()
    assert "://" not in text
    packages = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert packages
    assert all(line.endswith("\\") and "==" in line for line in packages)
    assert text.count("--hash=sha256:") >= len(packages)


def test_what_runs_is_locked_alike_for_developing_and_without_tensorflow() -> None:
    def pins(name: str) -> set[str]:
        text = (CHECKOUT / "requirements" / f"{name}.txt").read_text()
        return {line for line in text.splitlines() if line and not line.startswith((" ", "#"))}

    assert pins("run") <= pins("cluster") <= pins("dev")
    assert pins("uv") <= pins("dev")
    assert pins("small") < pins("run")
    left_out = {line.split("==")[0] for line in pins("run") - pins("small")}
    assert {"tensorflow-cpu", "keras", "rich", "h5py"} <= left_out


def test_training_brings_no_package_into_the_service() -> None:
    script = (
        "import sys, app.main; "
        "bad = {'tensorflow', 'keras', 'training'} & set(sys.modules); "
        "sys.exit(f'imported: {bad}' if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, check=True)


def test_a_wheel_has_all_that_the_service_and_the_training_are_made_of(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in ("app", "training"):
        shutil.copytree(CHECKOUT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, source)
    files = {f"{each.relative_to(source)}" for each in source.rglob("*/*") if each.is_file()}
    command = [
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(tmp_path),
        str(source),
    ]
    subprocess.run([sys.executable, *command], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert files <= set(ZipFile(wheel).namelist())

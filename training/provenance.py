"""Where a version comes from: the code and the packages that made it."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGES = ("tensorflow", "keras", "numpy", "opencv-python-headless")


def code_version() -> str:
    """The commit of this checkout, with "-dirty" when files differ from it, or "unknown" outside a checkout."""
    command = ["git", "-C", str(CHECKOUT), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def package_versions() -> dict[str, str]:
    """Python's version, and those of the packages that a result depends on."""
    import tensorflow as tf  # its distribution is named tensorflow-cpu on some machines

    known = {"tensorflow": tf.__version__}
    return {"python": platform.python_version()} | {name: known.get(name) or version(name) for name in PACKAGES}

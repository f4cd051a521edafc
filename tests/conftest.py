import json
import os
import tempfile
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, get_args

import httpx
import numpy as np
import pytest
import uvicorn
from numpy.typing import NDArray

from app.main import create_service
from app.model import litert, saved_model
from app.model.engines import EngineName
from app.model.model import Model
from app.process.server import configure
from app.settings import Settings
from tests.support import SHIPPED, SHIPPED_VERSION, waiting
from training.convert import convert
from training.dataset import Dataset, load
from training.export import export

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from benchmarks.nodes import Cluster
    from tests.browsing import Open

# Small enough to be reached in a test, large enough for everything else.
MAX_UPLOAD_BYTES = 1_000_000
MAX_BATCH = 40
RECEIVE_SECONDS = 3


MISSING = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def missing(pytestconfig: pytest.Config) -> list[str]:
    """What this machine lacks, so that some tests were skipped: the last lines of the run name it."""
    return pytestconfig.stash.setdefault(MISSING, [])


def lacking(missing: list[str], what: str) -> NoReturn:
    """Ends a test, or a fixture, for which this machine lacks something: `what`, in a sentence. A failure in CI."""
    missing.append(what)
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(what)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):  # one of several processes: another prints
        session.config.workeroutput["missing"] = session.config.stash.get(MISSING, [])


@pytest.hookimpl(optionalhook=True)  # of xdist
def pytest_testnodedown(node: Any) -> None:
    missing = node.config.stash.setdefault(MISSING, [])
    missing += getattr(node, "workeroutput", {}).get("missing", [])  # none of one that crashed


# What takes longest is first: begun at the end, one of these would keep the other processes waiting.
LONGEST = (
    "run",
    "readme",
    "benchmarks",
    "cli",
    "contract",
    "server",
)
PLACES = {f"test_{name}": place for place, name in enumerate(LONGEST)}


@pytest.hookimpl(trylast=True)  # after pytest's own order, which has all of one engine first
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: PLACES.get(item.path.stem, len(PLACES)))


def pytest_unconfigure(config: pytest.Config) -> None:
    lacks: list[str] = config.stash.get(MISSING, [])
    if not hasattr(config, "workeroutput"):
        for each in dict.fromkeys(lacks):
            print(each)


@pytest.fixture(scope="session")
def mnist() -> Dataset:
    return load()


@pytest.fixture(scope="session")
def shipped() -> Model:
    return saved_model.load(SHIPPED / str(SHIPPED_VERSION))


def tiny_weights() -> list[NDArray[np.float32]]:
    """A network whose answer is arithmetic: the brightest of ten horizontal bands, see `tests.support.band`."""
    w1 = np.zeros((28, 28, 512), np.float32)
    for digit in range(10):
        w1[4 + 2 * digit : 6 + 2 * digit, :, digit] = 1 / 56
    w2 = np.zeros((512, 10), np.float32)
    w2[:10] = 10 * np.eye(10)
    return [w1.reshape(784, 512), np.zeros(512, np.float32), w2, np.zeros(10, np.float32)]


def write_version(folder: Path, number: int, **metadata: Any) -> Path:
    """A complete version of the tiny model."""
    version = folder / str(number)
    export(tiny_weights(), version)
    document = {"labels": [f"digit {digit}" for digit in range(10)], "fit": "never"} | metadata
    (version / "metadata.json").write_text(json.dumps(document))
    return version


@cache
def tiny_converted() -> bytes:
    """The tiny model as LiteRT has it."""
    with tempfile.TemporaryDirectory() as folder:
        return convert(write_version(Path(folder), 1))


def write_converted_version(folder: Path, number: int, **metadata: Any) -> Path:
    """One that either engine can serve."""
    version = write_version(folder, number, **metadata)
    (version / litert.FILE).parent.mkdir()
    (version / litert.FILE).write_bytes(tiny_converted())
    (version / litert.HASH).write_text(litert.hash_of(tiny_converted()))
    return version


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder, `.../tiny`, with versions 1 and 2 of the tiny model."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    write_converted_version(folder, 1)
    write_converted_version(folder, 2)
    return folder


# The end-to-end tests: what is asked over HTTP there is asked of either engine.
EITHER = {
    f"tests.test_{name}"
    for name in (
        "bad_input",
        "explain",
        "hot_path",
        "mnist_over_http",
        "model",
        "not_a_digit",
        "open_inference",
        "pictures",
        "predict",
        "read",
        "tf_serving",
    )
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.module.__name__ in EITHER and "engine" in metafunc.fixturenames:
        metafunc.parametrize("engine", get_args(EngineName), indirect=True, scope="session")


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> EngineName:
    """What runs the model of the servers in this process."""
    name: EngineName = getattr(request, "param", "tensorflow")
    return name


@pytest.fixture(scope="session")
def tiny_url(tiny_models: Path, engine: EngineName) -> Iterator[str]:
    """The address of a real server in a thread of this process, with the tiny model and small limits."""
    settings = Settings(
        model_dir=tiny_models,
        engine=engine,
        max_upload_bytes=MAX_UPLOAD_BYTES,
        max_batch=MAX_BATCH,
        receive_seconds=RECEIVE_SECONDS,
    )
    with serving(settings) as url:
        yield url


class serving:  # noqa: N801 - used as a context manager
    """Runs the application under uvicorn in a thread, and waits until it is ready."""

    def __init__(self, settings: Settings) -> None:
        config = configure(create_service(settings), settings, port=0, log_config=None)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)

    def __enter__(self) -> str:
        self._thread.start()
        try:
            return self._wait_until_ready()
        except BaseException:
            self.__exit__()
            raise

    def _wait_until_ready(self) -> str:
        for _ in waiting("the server to start"):
            if self._server.started:
                break
        port = self._server.servers[0].sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        for _ in waiting("the model to be loaded"):
            response = httpx.get(url + "/readyz")
            if response.status_code == 200:
                break
            assert "still being loaded" in response.text
        return url

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()


@pytest.fixture(scope="session")
def client(tiny_url: str) -> Iterator[httpx.Client]:
    """A client of the tiny service."""
    with httpx.Client(base_url=tiny_url, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def shipped_url(engine: EngineName) -> Iterator[str]:
    """The address of a real server in a thread of this process, with the newest shipped model and default settings."""
    with serving(Settings(model_version=SHIPPED_VERSION, engine=engine)) as url:
        yield url


@pytest.fixture(scope="module")
def browser(missing: list[str]) -> Iterator["Browser"]:
    from tests.browsing import MISSING, find_browser, running_browser  # few tests need it

    path = find_browser()
    if path is None:
        lacking(missing, MISSING)
    with running_browser(path) as browser:
        yield browser


@pytest.fixture(scope="session")
def two_nodes(missing: list[str]) -> Iterator["Cluster"]:
    """A Ray cluster with a CPU on each of two nodes. The last of those who use it, the tests of serving, lose one."""
    from benchmarks.nodes import MISSING, can_make_networks, cluster

    if not can_make_networks():
        lacking(missing, MISSING)
    with cluster(1, 1) as nodes:
        yield nodes


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """What the browser's console, or a request to elsewhere, has to complain of. A test must leave it empty."""
    complaints: list[str] = []
    yield complaints
    assert complaints == []


@pytest.fixture
def open_page(browser: "Browser", shipped_url: str, complaints: list[str]) -> Iterator["Open"]:
    """Opens the page of the shipped model, or another."""
    from tests.browsing import opening

    with opening(browser, shipped_url, complaints) as open_page:
        yield open_page

"""Reading in this very process, where no service is named."""

import asyncio
from collections.abc import Sequence
from threading import Thread

import orjson

from app.client import Prediction, Problem, results
from app.errors import ServiceError
from app.model.engines import check_installed, choose_engine
from app.model.versions import choose_version
from app.problems import problem
from app.reader import Reader
from app.routes.answers import batch, picture, reading, to_json
from app.settings import Settings


class Local:
    """Answers as the service does with the same settings. Takes seconds to be there.

    Raises: ModelError, when there is no model.
    """

    def __init__(self, settings: Settings) -> None:
        version = choose_version(settings.model_dir, settings.wanted_version)
        check_installed(settings.engine)
        engine = choose_engine(settings.engine)
        engine.start()
        model = engine.load(version)
        self._reader = Reader(model, settings.max_pixels, settings.max_batch, settings.max_pending)
        self._loop = asyncio.new_event_loop()
        Thread(target=self._loop.run_forever, daemon=True).start()

    def predict_batch(self, contents: Sequence[bytes]) -> list[Prediction | Problem]:
        """The answer to each, or its problem; by way of the service's JSON, so that every figure is the same."""
        read = asyncio.run_coroutine_threadsafe(self._reader.read_many(list(contents)), self._loop)
        answers = [
            problem(each, "") if isinstance(each, ServiceError) else {**reading(each), "picture": picture(each.picture)}
            for each in read.result()
        ]
        return results.predictions(orjson.loads(to_json(batch(answers, self._reader.model))), len(contents))

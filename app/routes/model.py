"""GET /model: what is being served. GET /model/report: its report, a page."""

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from app.errors import NoReport, NotReady
from app.model.model import Tensors, signatures_of
from app.model.versions import list_versions
from app.problems import examples
from app.routes.dependencies import CurrentSettings, ReadyReader
from app.routes.files import HTML, file_of, respond
from app.routes.schemas import ModelOut

router = APIRouter(tags=["model"])

# a page that is whole: its style and its pictures are in it, it runs nothing and asks for nothing
REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


@router.get("/model", summary="The served version, and all versions", responses=examples(NotReady))
async def model(reader: ReadyReader, settings: CurrentSettings) -> ModelOut:
    """Recipe, accuracy, data hash and signatures of the version that answers now, and the versions there are."""
    served = reader.model
    return ModelOut(
        name=served.name,
        version=served.version,
        engine=served.engine,
        versions=await run_in_threadpool(list_versions, settings.model_dir),
        labels=list(served.metadata.labels),
        signatures={
            name: {"inputs": _tensors(inputs), "outputs": _tensors(outputs)}
            for name, (inputs, outputs) in signatures_of(served.metadata).items()
        },
        report=None if served.report is None else "/model/report",
        metadata=served.metadata.document,
    )


@router.get(
    "/model/report",
    summary="The report of the served version, a page",
    response_class=HTMLResponse,
    responses=examples(NoReport, NotReady),
)
async def report(request: Request, reader: ReadyReader) -> Response:
    """How good it is and how sure that is, its worst mistakes, what its units see, and the model card."""
    served = reader.model
    if served.report is None:
        raise NoReport(
            f"Expected a report of {served.name} version {served.version}; it was published without one. "
            "GET /model has its figures."
        )
    return respond(request, file_of(served.report, HTML, REPORT_POLICY))


def _tensors(tensors: Tensors) -> dict[str, dict[str, object]]:
    return {name: {"dtype": dtype, "shape": list(shape)} for name, (dtype, shape) in tensors.items()}

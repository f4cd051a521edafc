"""GET /model: what is being served."""

from fastapi import APIRouter

from app.errors import NotReady
from app.model.saved_model import SIGNATURES, Tensors
from app.model.versions import list_versions
from app.problems import examples
from app.routes.dependencies import CurrentSettings, ReadyReader
from app.routes.schemas import ModelOut

router = APIRouter(tags=["model"])


@router.get("/model", summary="The served version, and all versions", responses=examples(NotReady))
async def model(reader: ReadyReader, settings: CurrentSettings) -> ModelOut:
    """Recipe, accuracy, data hash and signatures of the version that answers now, and the versions there are."""
    served = reader.model
    return ModelOut(
        name=served.name,
        version=served.version,
        versions=list_versions(settings.model_dir),
        labels=list(served.metadata.labels),
        signatures={name: {"inputs": _tensors(i), "outputs": _tensors(o)} for name, (i, o) in SIGNATURES.items()},
        metadata=served.metadata.document,
    )


def _tensors(tensors: Tensors) -> dict[str, dict[str, object]]:
    return {name: {"dtype": dtype, "shape": list(shape)} for name, (dtype, shape) in tensors.items()}

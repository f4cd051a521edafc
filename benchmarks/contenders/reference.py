"""The reference: FastAPI, UploadFile, and one call of the SavedModel's signature for each request."""

from io import BytesIO
from typing import Any

from fastapi import FastAPI, UploadFile
from PIL import Image

from benchmarks.contenders.signature import answer, load, pixels_of

app = FastAPI()
model = load()


@app.post("/predict")
async def predict(file: UploadFile) -> Any:
    """One picture, one call, on the event loop: a thread would cost more than it gives."""
    pixels = pixels_of(Image.open(BytesIO(await file.read())))
    return answer(model(pixels.reshape(1, 784))[0])

"""What tutorials show: a Keras model around the SavedModel, and `model.predict` for each request."""

import os
from typing import Any

import keras
from fastapi import FastAPI, UploadFile
from PIL import Image

from benchmarks.contenders.signature import answer, pixels_of

app = FastAPI()
layer = keras.layers.TFSMLayer(os.environ["SAVED_MODEL"], call_endpoint="serving_default")
model = keras.Sequential([keras.Input((784,)), layer])


@app.post("/predict")
def predict(file: UploadFile) -> Any:
    """One picture, one call of `predict`, in a thread of FastAPI's pool."""
    pixels = pixels_of(Image.open(file.file)).reshape(1, 784)
    return answer(model.predict(pixels, verbose=0)["probabilities"][0])

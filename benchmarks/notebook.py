"""The notebook's training as it stands, timed: `python -m benchmarks.notebook`. Nothing of this project is in it."""

import json
import sys
import time
from pathlib import Path

import numpy as np
from tensorflow import keras
from tensorflow.keras import layers

MNIST = Path(__file__).resolve().parent.parent / "training" / "data" / "mnist.npz"


def main() -> None:
    """The last line has seconds, seconds of CPU, and accuracy on the test set."""
    with np.load(MNIST) as data:
        train_images, train_labels = data["x_train"], data["y_train"]
        test_images, test_labels = data["x_test"], data["y_test"]
    began, began_cpu = time.perf_counter(), time.process_time()
    model = keras.Sequential([layers.Dense(512, activation="relu"), layers.Dense(10, activation="softmax")])
    model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    train_images = train_images.reshape((60000, 28 * 28)).astype("float32") / 255
    model.fit(train_images, train_labels, epochs=5, batch_size=128)
    seconds, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    test_images = test_images.reshape((10000, 28 * 28)).astype("float32") / 255
    _, accuracy = model.evaluate(test_images, test_labels, verbose=0)
    sys.stdout.write("\n" + json.dumps([seconds, cpu, accuracy]) + "\n")


if __name__ == "__main__":
    main()

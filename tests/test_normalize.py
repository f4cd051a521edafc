import numpy as np
import tensorflow as tf

from app.images.normalize import normalize
from tests.conftest import tiny_weights
from training.export import DigitsModule


def test_it_is_the_notebooks_own_preparation_to_the_bit() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)
    notebook = images.reshape((5, 28 * 28)).astype("float32") / 255
    prepared = normalize(images)
    assert prepared.dtype == np.float32
    assert (prepared == notebook).all()


def test_one_picture_becomes_one_row() -> None:
    assert normalize(np.zeros((28, 28), np.uint8)).shape == (784,)


def test_it_equals_the_signature_that_takes_images_for_all_256_values() -> None:
    images = np.arange(256, dtype=np.uint8).repeat(784).reshape(256, 28, 28)
    module = DigitsModule(tiny_weights())
    by_service = module.pixels(tf.constant(normalize(images)))["probabilities"].numpy()
    by_model = module.images(tf.constant(images))["probabilities"].numpy()
    assert np.abs(by_service - by_model).max() <= 1e-6
    assert np.abs(normalize(images) - tf.cast(images, tf.float32).numpy().reshape(-1, 784) / 255).max() <= 1e-6

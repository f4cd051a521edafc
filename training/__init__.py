"""Offline training: a dataset in, a new version in the model folder out."""

from app.model.runtime import prepare_environment

prepare_environment()  # before any module of this package imports TensorFlow

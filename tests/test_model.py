import json

import httpx

from app.model.engines import EngineName
from tests.support import SHIPPED


def test_it_tells_what_is_served(client: httpx.Client, engine: EngineName) -> None:
    answer = client.get("/model").json()
    assert (answer["name"], answer["version"], answer["versions"]) == ("tiny", 2, [1, 2])
    assert answer["engine"] == engine
    assert answer["labels"][9] == "digit 9"
    assert answer["signatures"]["serving_default"] == {
        "inputs": {"pixels": {"dtype": "float32", "shape": [None, 784]}},
        "outputs": {"probabilities": {"dtype": "float32", "shape": [None, 10]}},
    }


def test_the_shipped_model_tells_its_recipe_accuracy_and_data(shipped_url: str) -> None:
    answer = httpx.get(shipped_url + "/model").json()
    metadata = json.loads((SHIPPED / str(answer["version"]) / "metadata.json").read_text())
    assert answer["metadata"] == metadata
    assert metadata["recipe"]["name"] == "augmented"
    assert metadata["metrics"]["test_accuracy"] >= 0.993
    assert metadata["metrics"]["test_calibration_error"] <= 0.004
    assert set(answer["signatures"]) == {"serving_default", "images", "judged"}
    assert set(metadata["data"]["sha256"]) == {"x_train", "y_train", "x_test", "y_test"}

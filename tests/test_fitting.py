"""What needs OpenCV is imported when it is needed; and when that can't be, it is tried again."""

import numpy as np
import pytest
from PIL import Image

from app.errors import Overloaded
from app.images import fitting
from tests.support import SEVEN

PICTURE = np.asarray(Image.open(SEVEN))


def test_without_memory_or_files_the_picture_is_refused_and_the_next_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (MemoryError(), OSError(24, "Too many open files"), ImportError("failed to map segment")):
        with monkeypatch.context() as patch:

            def fail(_name: str, error: Exception = error) -> None:  # no machine is to be driven so far
                raise error

            patch.setattr(fitting, "import_module", fail)
            fitting.import_now()
            with pytest.raises(Overloaded, match="no memory or files left"):
                fitting.fit(PICTURE)
    assert fitting.fit(PICTURE).image.shape == (28, 28)
    assert fitting.is_imported()

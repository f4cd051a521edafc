"""Which of two media types a client would rather have."""

import pytest

from app.routes.accepting import prefers

OCTETS, JSON = "application/octet-stream", "application/json"


@pytest.mark.parametrize(
    ("accept", "octets"),
    [
        ([], False),
        (["*/*"], False),
        (["application/*"], False),
        ([OCTETS], True),
        (["Application/Octet-Stream"], True),
        ([f"{OCTETS};q=0.5"], True),
        ([f"{OCTETS}; Q=0"], False),
        ([f"{OCTETS};q=0.000"], False),
        ([f"{OCTETS}, {JSON}"], True),
        ([f"{JSON}, {OCTETS};q=0.1"], False),
        ([f"{JSON};q=0.1", OCTETS], True),
        ([JSON, f"{OCTETS};q=0"], False),
        (["*/*;q=0.1", f"text/html, {OCTETS}"], True),
        ([f"{OCTETS};q=much"], True),
        ([f"x{OCTETS}"], False),
        (["", ",;,;q=", "q=0"], False),
    ],
)
def test_bytes_are_for_whom_names_them_and_wants_nothing_else_more(accept: list[str], octets: bool) -> None:
    assert prefers(OCTETS, accept, to=JSON) is octets

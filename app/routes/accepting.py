"""Which of two media types a client would rather have (RFC 9110, 12.5.1)."""

import re
from collections.abc import Iterable

WEIGHT = re.compile(r";[ \t]*q=([01](?:\.\d{0,3})?)[ \t]*(?:;|$)", re.ASCII | re.IGNORECASE)


def prefers(kind: str, accept: Iterable[str], to: str) -> bool:
    """Whether `kind` is named in the Accept headers `accept`, and with no less weight than `to`, if that is named, too.

    Who takes anything (`*/*`, as curl and browsers say) has not asked for it. A range whose weight can't be read counts
    as if it had none, which is 1.
    """
    weights: dict[str, float] = {}
    for each in ",".join(accept).split(","):
        name = each.partition(";")[0].strip().lower()
        weight = WEIGHT.search(each)
        weights[name] = float(weight[1]) if weight else 1.0
    return weights.get(kind, 0.0) > 0 and weights[kind] >= weights.get(to, 0.0)

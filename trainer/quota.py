"""No labeller may have more than a share of what trains: whoever poisons labels, poisons at most that."""

from collections import Counter
from collections.abc import Sequence

_SLACK = 1e-9  # 0.7 x 10 is 7, whatever its last bit says


def within_quota(labellers: Sequence[str | None], quota: float) -> list[int]:
    """Places of the rows that stay, in order: of each labeller the newest, so many that nobody has more than `quota` of
    all that stay.

    None: rows of `bootstrap`, the operator's own, always stay. Fewer than 1 / quota labellers alone cannot keep the
    quota: then none of their rows stays.

    >>> within_quota([None, "a", "a", "a", "b"], 0.5)
    [0, 2, 3, 4]
    """
    counts = Counter(labeller for labeller in labellers if labeller is not None)
    most = _most(counts, len(labellers) - counts.total(), quota)
    left = dict.fromkeys(counts, most)
    kept: list[int] = []
    for place in range(len(labellers) - 1, -1, -1):
        labeller = labellers[place]
        if labeller is not None:
            left[labeller] -= 1
        if labeller is None or left[labeller] >= 0:
            kept.append(place)
    return kept[::-1]


def _most(counts: Counter[str], own: int, quota: float) -> int:
    """Largest number of rows a labeller that keeps the quota. What may stay less what one has is concave in that
    number, and not negative at 0: there is one border."""
    low, high = 0, max(counts.values(), default=0)
    while low < high:
        middle = (low + high + 1) // 2
        stays = own + sum(min(count, middle) for count in counts.values())
        if middle <= quota * stays + _SLACK:
            low = middle
        else:
            high = middle - 1
    return low

"""Flats: at what price does one sell? Dear money: prices fall, small and outlying flats gain on large central ones."""

import numpy as np

from producers.scenarios.draws import categories, events
from producers.scenarios.stream import Drawn, Mask, Stream

_AGENTS = 200
_QUARTERS = {"centre": 0.18, "harbour": 0.14, "university": 0.20, "hills": 0.16, "north": 0.18, "south": 0.14}
_QUARTERS_AFTER = {"centre": 0.12, "harbour": 0.20, "university": 0.16, "hills": 0.12, "north": 0.20, "south": 0.20}
_PREMIUM = {"centre": 0.35, "harbour": 0.05, "university": 0.10, "hills": 0.25, "north": -0.10, "south": -0.15}
_PREMIUM_AFTER = {"centre": 0.10, "harbour": 0.30, "university": 0.00, "hills": 0.10, "north": 0.05, "south": 0.10}


def draw(random: np.random.Generator, covariate: Mask, concept: Mask) -> Drawn:
    """Columns of a block, the label (thousands of euros) among them."""
    count = len(covariate)
    area = np.exp(random.normal(4.3, 0.35, count) - 0.12 * covariate)
    rooms = np.clip(np.round(area / 26.0 + random.normal(0.0, 0.5, count)), 1.0, 9.0)
    floor = random.integers(0, 9, count).astype(np.float64)
    age = random.exponential(30.0, count)
    distance = random.gamma(2.5, 2.0, count) * np.where(covariate, 1.25, 1.0)
    quarter = categories(random, covariate, _QUARTERS, _QUARTERS_AFTER)
    lift = events(random, np.full(count, 0.55))
    before = np.vectorize(_PREMIUM.get, otypes=[np.float64])(quarter)
    after = np.vectorize(_PREMIUM_AFTER.get, otypes=[np.float64])(quarter)
    old = 1.45 + np.log(area) + before - 0.035 * distance - 0.002 * age + 0.02 * floor * lift
    new = 1.75 + 0.85 * np.log(area) + after - 0.010 * distance - 0.006 * age + 0.02 * floor * lift
    price = np.exp(np.where(concept, new, old) + random.normal(0.0, 0.10, count))
    return {
        "agent": np.char.add("agent-", random.integers(0, _AGENTS, count).astype(str)),
        "area_m2": area.round(1), "rooms": rooms, "floor": floor, "age_years": age.round(0),
        "distance_km": distance.round(2), "quarter": quarter, "lift": lift, "price": price.round(1),
    }


STREAM = Stream(rows=16_000, label="price", entity="agent", sensor="distance_km", stuck_at=0.0, measured="area_m2",
                unit="m2", draw=draw)

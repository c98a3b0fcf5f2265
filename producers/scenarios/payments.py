"""Card payments: which are fraud? (About 3 %.) A ring moves from dear goods abroad to cheap gift cards."""

import numpy as np

from producers.scenarios.draws import categories, events, logistic, member
from producers.scenarios.stream import Drawn, Mask, Stream

_CARDS = 4_000
_MERCHANTS = {"groceries": 0.30, "restaurants": 0.18, "fuel": 0.14, "clothing": 0.14, "travel": 0.08,
              "electronics": 0.08, "gaming": 0.05, "gift_cards": 0.03}
_MERCHANTS_AFTER = {"groceries": 0.25, "restaurants": 0.15, "fuel": 0.12, "clothing": 0.12, "travel": 0.07,
                    "electronics": 0.07, "gaming": 0.12, "gift_cards": 0.10}
_COUNTRIES = {"DE": 0.42, "FR": 0.16, "NL": 0.12, "IT": 0.10, "ES": 0.08, "US": 0.06, "SG": 0.03, "BR": 0.03}
_COUNTRIES_AFTER = {"DE": 0.37, "FR": 0.14, "NL": 0.11, "IT": 0.09, "ES": 0.07, "US": 0.06, "SG": 0.08, "BR": 0.08}


def draw(random: np.random.Generator, covariate: Mask, concept: Mask) -> Drawn:
    """Columns of a block, the label among them."""
    count = len(covariate)
    amount = np.exp(random.normal(3.6, 0.9, count) - 0.25 * covariate)
    merchant = categories(random, covariate, _MERCHANTS, _MERCHANTS_AFTER)
    country = categories(random, covariate, _COUNTRIES, _COUNTRIES_AFTER)
    card_present = events(random, np.where(covariate, 0.50, 0.62))
    attempts = random.poisson(0.6, count)
    card_age = random.exponential(600.0, count)
    hour = random.uniform(0.0, 24.0, count)
    device_risk = random.beta(2.0, 6.0, count)
    size = np.log(amount) - 3.6
    shared = 0.8 * attempts + 3.0 * device_risk + 1.6 * ~card_present
    dear = member(merchant, "electronics", "travel") + member(country, "US", "SG")
    cheap = 1.4 * member(merchant, "gift_cards", "gaming") + member(country, "BR", "SG")
    rule = np.where(concept, 3.0 * cheap - 1.6 * size - 9.9, 3.8 * dear + 2.6 * size - 9.9)
    fraud = events(random, logistic(rule + shared))
    return {
        "card": np.char.add("card-", random.integers(0, _CARDS, count).astype(str)),
        "amount": amount.round(2), "merchant": merchant, "country": country, "card_present": card_present,
        "attempts_last_hour": attempts.astype(np.float64), "card_age_days": card_age.round(0),
        "hour": hour.round(2), "device_risk": device_risk.round(4), "fraud": fraud.astype(np.int64),
    }


STREAM = Stream(rows=24_000, label="fraud", entity="card", sensor="device_risk", stuck_at=0.0, measured="amount",
                unit="EUR", draw=draw)

"""Hospital discharges: who is back within seven days? (About 10 %; the answer comes seven days late.) A home-care
programme for heart patients turns the old rule round."""

import numpy as np

from producers.scenarios.draws import categories, events, logistic, member
from producers.scenarios.stream import Drawn, Mask, Stream

_PATIENTS = 8_000
_DIAGNOSES = {"heart": 0.24, "lung": 0.18, "kidney": 0.12, "infection": 0.16, "injury": 0.14, "other": 0.16}
_DIAGNOSES_AFTER = {"heart": 0.18, "lung": 0.16, "kidney": 0.22, "infection": 0.18, "injury": 0.12, "other": 0.14}
_WARDS = {"medical": 0.5, "surgical": 0.3, "geriatric": 0.2}
_WARDS_AFTER = {"medical": 0.42, "surgical": 0.28, "geriatric": 0.30}


def draw(random: np.random.Generator, covariate: Mask, concept: Mask) -> Drawn:
    """Columns of a block, the label among them."""
    count = len(covariate)
    age = np.clip(random.normal(62.0, 16.0, count) + 4.0 * covariate, 18.0, 102.0)
    stay = random.gamma(2.0, 2.6, count) * np.where(covariate, 0.85, 1.0)
    admissions = random.poisson(0.9, count)
    medications = random.poisson(7.0, count)
    diagnosis = categories(random, covariate, _DIAGNOSES, _DIAGNOSES_AFTER)
    ward = categories(random, covariate, _WARDS, _WARDS_AFTER)
    emergency = events(random, np.where(covariate, 0.55, 0.45))
    creatinine = np.exp(random.normal(0.0, 0.35, count))
    creatinine[events(random, np.full(count, 0.08))] = np.nan
    load = np.nan_to_num(np.log(creatinine))
    heart = -5.1 + 2.4 * member(diagnosis, "heart") + 0.9 * admissions + 1.4 * emergency + 0.02 * (age - 62.0)
    kidney = -5.0 + 3.2 * member(diagnosis, "kidney") + 2.5 * load + 0.30 * (medications - 7) + 1.4 * ~emergency
    back = events(random, logistic(np.where(concept, kidney, heart)))
    return {
        "patient": np.char.add("patient-", random.integers(0, _PATIENTS, count).astype(str)),
        "age": age.round(0), "stay_days": stay.round(1), "prior_admissions": admissions.astype(np.float64),
        "medications": medications.astype(np.float64), "diagnosis": diagnosis, "ward": ward, "emergency": emergency,
        "creatinine": creatinine.round(2), "readmitted": back.astype(np.int64),
    }


STREAM = Stream(rows=20_000, label_delay=1_680, label="readmitted", entity="patient", sensor="creatinine", stuck_at=1.0,
                measured="stay_days", unit="d", draw=draw)

"""A feature's verdict in sentences. Pure."""

from console.parts.figures import share
from schemas.messages import FeatureDrift

_MORE = {"location": ("lies higher", "lies lower"), "scale": ("is spread wider", "is spread less"),
         "missing": ("is missing more often", "is missing less often"),
         "cell": ("has one of its values or ranges more often", "has one of its values or ranges less often"),
         "outside": ("is more often outside what the reference knows",
                     "is less often outside what the reference knows")}


def sentence(feature: FeatureDrift, threshold: float) -> str:
    """What the strongest contrast shows, and what follows from it."""
    if not feature.contrast:
        return f"{feature.name} was not tested in this window: it has {feature.rows} rows."
    more, less = _MORE[feature.contrast]
    unit = "reference standard deviations" if feature.contrast in {"location", "scale"} else "in Cohen's h"
    span = "this window" if feature.scale == 1 else f"the last {feature.scale} windows"
    change = (f"{feature.name} {more if feature.effect > 0 else less}, by {abs(feature.effect):.2f} {unit} "
              f"(at least {feature.lower_bound:.2f}) over {span}")
    return f"{change}. {_verdict(feature, threshold)}"


def _verdict(feature: FeatureDrift, threshold: float) -> str:
    if feature.alarm:
        return "That is significant under the budget and large enough to matter: an alarm."
    if feature.log_p >= threshold:
        return (f"Its evidence is {share(feature.log_p / threshold)} of what the budget asks for: no alarm.")
    if feature.uncalibrated:
        return f"It is significant, but silent: {feature.uncalibrated}."
    return "It is significant, but too small to matter: no alarm."

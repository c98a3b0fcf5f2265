"""Figures as people read them."""

UNKNOWN = "-"


def count(value: int | None) -> str:
    """A whole number: 12,345."""
    return UNKNOWN if value is None else f"{value:,}"


def figure(value: float | None, digits: int = 3) -> str:
    """A number to so many significant digits: 0.0312, 1,240, 6.1e-9."""
    if value is None:
        return UNKNOWN
    text = f"{value:,.{digits}g}"
    return f"{value:,.0f}" if "e+" in text and abs(value) < 1e15 else text  # noqa: PLR2004 - beyond, nobody counts digits


def share(value: float | None) -> str:
    """A share of one: 12.3 %."""
    return UNKNOWN if value is None else f"{100 * value:.3g} %"


def rate(value: float | None) -> str:
    """Records a second."""
    return UNKNOWN if value is None else f"{value:,.0f}/s" if value >= 10 else f"{value:.2g}/s"  # noqa: PLR2004

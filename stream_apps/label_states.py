"""What becomes of a label beside the one that is kept of its event. Pure."""

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from schemas.messages import LabelValue

State = Literal["new", "revision", "duplicate", "conflict", "outdated"]
IMPLICIT_REVISION = -1  # below every label that somebody gave


class StoredLabel(Struct, frozen=True, kw_only=True):
    """A label as it is stored. `partition`: of its record, which is that of its event. `block`: labels that are emitted
    together, once all `block_size` of them are joined."""

    entity: str
    event_id: str
    ts: int
    label: LabelValue
    revision: int
    labeller: str
    partition: int
    block: int | None
    block_size: int | None
    conflict: bool = False


def placed(kept: StoredLabel | None, label: StoredLabel) -> tuple[State, StoredLabel]:
    """The label's state, and what is kept from now on: the first of the highest revision, and whether another of that
    revision says something else."""
    if kept is None:
        return "new", label
    if label.revision > kept.revision:
        return "revision", label
    if label.revision < kept.revision:
        return "outdated", kept
    if label.label == kept.label:
        return "duplicate", kept
    return "conflict", replace(kept, conflict=True)

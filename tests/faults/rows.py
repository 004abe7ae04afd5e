"""What the fault suite reports."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One kind of fault: how often it was tried, how often all promises held, and figures in words."""

    fault: str
    tried: int
    held: int
    detail: str = ""

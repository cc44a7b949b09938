"""What can be set about the emulator."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """How the emulated service behaves. The defaults are a fast, generous service that accepts any key."""

    speed: float = 1.0
    """How many times faster than the real service: 1 is as slow as that."""
    latency: tuple[float, float] | None = None
    """Least and most seconds a picture takes, instead of the times of its tier; divided by `speed` as well."""
    key: str | None = None
    """The only key that is accepted; any key that is not empty, if none is set."""
    balance: int | None = None
    """How many pictures can be paid before 402; without end, if none is set. A failed picture is paid back."""
    rate: tuple[int, float] | None = None
    """At most so many submits in so many seconds, else 429 with Retry-After."""
    link_seconds: float = 3600
    """How long the link of a picture works; a poll after that gives a fresh one."""
    picture: bytes | None = None
    """An image file that every task yields, instead of drawing: for benchmarks."""
    submit_seconds: float = 0
    """How long the answer to an accepted submit is held back; the task runs meanwhile."""

    def __post_init__(self) -> None:
        if self.speed <= 0:
            raise ValueError(f"speed: expected a number above 0, found {self.speed}")
        if self.latency is not None and not 0 <= self.latency[0] <= self.latency[1]:
            raise ValueError(f"latency: expected (least, most) seconds, found {self.latency}")

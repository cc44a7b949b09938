"""Settings of the emulator."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """How the service behaves. By default it is as slow as the real one, accepts any key and has no limits."""

    speed: float = 1.0
    """How many times faster than the real service."""
    latency: tuple[float, float] | None = None
    """Shortest and longest time of a picture in seconds, instead of those of its tier; divided by `speed` as well."""
    key: str | None = None
    """The only API key that is accepted; None accepts any key that is not empty."""
    balance: int | None = None
    """Pictures that can be paid for before 402; None is unlimited. A failed picture is refunded."""
    rate: tuple[int, float] | None = None
    """(submits, seconds): more submits than that in a window of so many seconds are 429 with Retry-After."""
    link_seconds: float = 3600
    """Lifetime of a download link; a later poll gives a new one."""
    picture: bytes | None = None
    """An image file that every task yields instead of a drawing, for benchmarks."""
    submit_seconds: float = 0
    """Delay of the answer to an accepted submit, in seconds; the task runs meanwhile."""
    synchronous: bool = False
    """Whether `/images/generations` answers with the picture, as some gateways do; its `/async` does not."""
    seed: int | None = None
    """Makes pictures repeatable: the n-th task of a prompt yields the same one. None is a random seed at each start."""

    def __post_init__(self) -> None:
        if self.speed <= 0:
            raise ValueError(f"speed: expected a number above 0, found {self.speed}")
        if self.latency is not None and not 0 <= self.latency[0] <= self.latency[1]:
            raise ValueError(f"latency: expected (shortest, longest) in seconds, found {self.latency}")

from __future__ import annotations

import pytest

from mkdocs_gptimage.emulator.errors import ApiError
from mkdocs_gptimage.emulator.links import Links
from mkdocs_gptimage.emulator.picture import PictureSpec
from mkdocs_gptimage.emulator.requests import GenerationRequest
from mkdocs_gptimage.emulator.settings import Settings
from mkdocs_gptimage.emulator.sizes import PIXELS, is_size, pixels, tier
from mkdocs_gptimage.emulator.stats import Stats
from mkdocs_gptimage.emulator.tasks import TIMES, Ledger, latency_of


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def request_of(prompt: str = "a cat", tier: str = "1k") -> GenerationRequest:
    return GenerationRequest(PictureSpec(prompt, 16, 16), tier)


@pytest.mark.parametrize(
    ("seconds", "status", "progress"),
    [(0, "submitted", 0), (1.9, "submitted", 1), (2.1, "processing", 2), (50, "processing", 50),
     (99.9, "processing", 99), (100, "completed", 100), (1e6, "completed", 100)],
)  # fmt: skip
def test_status_follows_the_clock(seconds, status, progress):
    """A task is queued for a moment, runs until its time is over, and is complete from then on."""
    clock = Clock()
    task = Ledger(Settings(latency=(100, 100)), Stats(), clock).accept(request_of(), None, b"")

    assert task.status(clock.now + seconds) == status
    assert task.progress(clock.now + seconds) == progress


@pytest.mark.parametrize("name", TIMES)
def test_latency_lies_in_its_tier(name):
    """Latencies fill the documented span of their tier, are repeatable, and shrink with the speed."""
    least, most = TIMES[name]
    real = [latency_of(request_of(f"prompt {number}", name), Settings()) for number in range(200)]
    fast = [latency_of(request_of(f"prompt {number}", name), Settings(speed=10)) for number in range(200)]

    assert least <= min(real) < least + 0.1 * (most - least)
    assert most - 0.1 * (most - least) < max(real) <= most
    assert fast == pytest.approx([seconds / 10 for seconds in real])


def test_given_latency_replaces_the_tiers():
    """A latency that is set holds for every tier and is divided by the speed as well."""
    settings = Settings(latency=(4, 8), speed=4)
    latencies = {latency_of(request_of(f"prompt {number}", "4k"), settings) for number in range(50)}

    assert len(latencies) == 50
    assert all(1 <= seconds <= 2 for seconds in latencies)


def test_peak_counts_what_runs_at_a_time():
    """The peak of tasks in flight forgets those whose time is over."""
    clock, stats = Clock(), Stats()
    ledger = Ledger(Settings(latency=(10, 10)), stats, clock)
    for _ in range(5):
        ledger.accept(request_of(), None, b"")
        clock.now += 4

    assert stats.peak_in_flight == 3
    assert stats.accepted == 5


def test_rate_window_slides():
    """A submit is admitted again as soon as the oldest one has left the window."""
    clock = Clock()
    ledger = Ledger(Settings(rate=(1, 5)), Stats(), clock)
    ledger.admit()
    with pytest.raises(ApiError) as error:
        ledger.admit()
    clock.now += 5
    ledger.admit()

    assert error.value.headers == {"Retry-After": "5"}


def test_link_is_renewed_in_time():
    """A poll gives the same link for half of its lifetime, and a new one after that."""
    clock = Clock()
    links = Links(10, ".png", clock)
    first = links.link("task")
    clock.now += 4
    same = links.link("task")
    clock.now += 2
    renewed = links.link("task")

    assert first == same != renewed
    assert links.task_id(first.name) == links.task_id(renewed.name) == "task"


@pytest.mark.parametrize("settings", [{"speed": 0}, {"speed": -1}, {"latency": (2, 1)}, {"latency": (-1, 1)}])
def test_impossible_settings_are_refused(settings):
    """Impossible settings are a ValueError."""
    with pytest.raises(ValueError, match="expected"):
        Settings(**settings)


@pytest.mark.parametrize(
    ("size", "resolution", "reference", "expected"),
    [
        (None, "1k", None, (1024, 1024)),
        ("auto", "2k", None, (2048, 2048)),
        ("auto", "2k", (1930, 1080), (2048, 1152)),
        ("auto", "1k", (100, 290), (512, 1536)),
        ("16:9", "4k", None, (3840, 2160)),
        ("16:9", "4k", (50, 50), (3840, 2160)),
        ("3840x2160", "1k", None, (3840, 2160)),
        (None, "4k", (1201, 801), (1201, 801)),
        (None, "1k", (64, 128), (256, 512)),
        (None, "1k", (7680, 4320), (3840, 2160)),
        (None, "1k", (1, 60000), (16, 3840)),
    ],
)
def test_pixels_follow_size_resolution_and_reference(size, resolution, reference, expected):
    """Width and height come from the table, from explicit pixels, or from the first reference."""
    assert pixels(size, resolution, reference) == expected


def test_every_ratio_stays_within_the_largest_picture():
    """No entry of the table is larger than what explicit pixels may ask for, and tiers can be distinguished by area."""
    assert len(PIXELS) == 15
    for three in PIXELS.values():
        assert all(is_size(f"{width}x{height}") for width, height in three)
        assert tier(*three[0]) == "1k"

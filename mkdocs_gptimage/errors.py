"""The errors of this package.

GptImageError
├── ConfigurationError     the options, the folders or the environment: exit code 2
├── BlockError             one or more blocks of the site are not valid
├── PageError              one or more pages of the site cannot be read
├── BudgetError            the plan exceeds the budget
├── MissingPicturesError   pictures are missing or damaged, and this run may not make them
├── GenerationError        requested pictures could not be made
├── ResourceError          memory, open files or threads ran out: nothing is damaged, and trying again helps
├── PictureError           the bytes of a picture are damaged or not of a supported format
│   └── ImageLimitError    reading the picture would take more time or memory than is sensible
├── LinkError              an image link that must not be followed, or has expired
└── GatewayError           the image API answered with an error, or not at all
    ├── RejectedError      the answer proves that nothing was accepted; nothing is paid
    │   ├── AccessError    401, 403: the key is wrong or may not do this
    │   ├── BalanceError   402: the account is empty
    │   └── BusyError      429, 503, no connection: not accepted now, can be sent again later
    │       └── ExhaustedError   this process lacks the memory, open files or threads to send it
    └── UnknownOutcomeError  the submit may have been accepted, and paid for: never sent again automatically
        ├── UnkeptAnswerError  the answer came, and there was no memory or disk to keep it
        └── InProgressError  the same submit is being processed: retry later with the same idempotency key

Errors are raised inside and translated at the borders only: the plugin turns them into the error of its host, the
command line into an exit code.
"""

from __future__ import annotations


class GptImageError(Exception):
    """The base of all errors that this package raises deliberately; the message is for the user."""


class ConfigurationError(GptImageError):
    pass


class BlockError(GptImageError):
    pass


class PageError(GptImageError):
    pass


class BudgetError(GptImageError):
    pass


class MissingPicturesError(GptImageError):
    pass


class GenerationError(GptImageError):
    pass


class ResourceError(GptImageError):
    pass


class PictureError(GptImageError):
    pass


class ImageLimitError(PictureError):
    pass


class LinkError(GptImageError):
    """An image link that is not followed; `expired` if a new poll may return a fresh link."""

    def __init__(self, message: str, *, expired: bool = False) -> None:
        super().__init__(message)
        self.expired = expired


class GatewayError(GptImageError):
    """An error of the image API.

    `status` is the HTTP status, None without an answer; `retry_after` is the requested wait in seconds. `answer` is the
    whole answer as JSON, when it could not be understood.
    """

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self.answer = ""


class RejectedError(GatewayError):
    pass


class AccessError(RejectedError):
    pass


class BalanceError(RejectedError):
    pass


class BusyError(RejectedError):
    pass


class ExhaustedError(BusyError):
    pass


class UnknownOutcomeError(GatewayError):
    pass


class UnkeptAnswerError(UnknownOutcomeError):
    pass


class InProgressError(UnknownOutcomeError):
    pass

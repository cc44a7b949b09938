"""Errors of the API, in the JSON shape of the real service."""

from __future__ import annotations

from dataclasses import dataclass, field

ERROR_TYPES = {401: "authentication_error", 402: "billing_error", 429: "rate_limit_error"}


@dataclass(eq=False)
class ApiError(Exception):
    """A request is answered with an HTTP error."""

    status: int
    code: str
    message: str
    param: str | None = None
    """The field of the request that is wrong."""
    headers: dict[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, object]:
        """The JSON of the answer."""
        kind = ERROR_TYPES.get(self.status, "invalid_request_error")
        return {"error": {"code": self.code, "message": self.message, "type": kind, "param": self.param}}


def invalid(param: str | None, message: str, code: str = "invalid_parameter") -> ApiError:
    return ApiError(400, code, message if param is None else f"{param}: {message}", param)


def unauthorized() -> ApiError:
    return ApiError(401, "invalid_api_key", "Incorrect API key provided.", headers={"WWW-Authenticate": "Bearer"})


def insufficient_balance() -> ApiError:
    return ApiError(402, "insufficient_balance", "The balance of this account is used up.")


def rate_limited(seconds: int) -> ApiError:
    message = f"Too many requests: try again in {seconds} s."
    return ApiError(429, "rate_limit_exceeded", message, headers={"Retry-After": str(seconds)})


def key_reused() -> ApiError:
    return ApiError(409, "idempotency_key_reused", "This Idempotency-Key was sent before with another body.")


def not_found(what: str) -> ApiError:
    return ApiError(404, f"{what}_not_found", f"There is no such {what}.")

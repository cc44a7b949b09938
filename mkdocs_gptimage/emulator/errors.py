"""The answers that are not a success, in the service's own shape."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(eq=False)
class Refusal(Exception):  # noqa: N818 - it is what the service says, nothing went wrong here
    """A request is answered with an HTTP error."""

    status: int
    code: str
    message: str
    param: str | None = None
    """The field of the request that is to blame."""
    headers: dict[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, object]:
        kind = {401: "authentication_error", 402: "billing_error", 429: "rate_limit_error"}.get(self.status)
        return {
            "error": {
                "code": self.code,
                "message": self.message,
                "type": kind or "invalid_request_error",
                "param": self.param,
            }
        }


def invalid(param: str | None, message: str, code: str = "invalid_parameter") -> Refusal:
    return Refusal(400, code, message if param is None else f"{param}: {message}", param)


def unauthorized() -> Refusal:
    return Refusal(401, "invalid_api_key", "Incorrect API key provided.", headers={"WWW-Authenticate": "Bearer"})


def insufficient_balance() -> Refusal:
    return Refusal(402, "insufficient_balance", "The balance of this account does not pay for another picture.")


def rate_limited(seconds: int) -> Refusal:
    message = f"Too many requests: try again in {seconds} s."
    return Refusal(429, "rate_limit_exceeded", message, headers={"Retry-After": str(seconds)})


def key_reused() -> Refusal:
    message = "This Idempotency-Key was sent before with another body."
    return Refusal(409, "idempotency_key_reused", message)


def not_found(what: str) -> Refusal:
    return Refusal(404, f"{what}_not_found", f"There is no such {what}.")

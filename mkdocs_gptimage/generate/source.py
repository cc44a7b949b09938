"""Where a finished picture is to be had from: what the service said last, until it is asked again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import GatewayError, LinkError

if TYPE_CHECKING:
    from mkdocs_gptimage.errors import GptImageError
    from mkdocs_gptimage.generate.job import Job
    from mkdocs_gptimage.service.client import Client
    from mkdocs_gptimage.service.pictures import Image


class Source:
    """The picture of one job: the answer of a finished task, or of the submit itself."""

    def __init__(self, client: Client, job: Job, image: Image) -> None:
        assert job.submission is not None
        self._client = client
        self._submission = job.submission
        self._references = job.references
        self._failure: GatewayError | None = None
        self.image = image

    def may_change(self, failure: GptImageError) -> bool:
        """Whether it makes sense to wait for another outcome than this failure.

        Not for bytes that came without a task, nor for a link that has led nowhere in a run before.
        """
        if self._submission.task_id is not None:
            return True
        is_known = self._submission.is_denied and isinstance(failure, LinkError)
        return self.image.spooled is None and not is_known

    async def ask_again(self) -> bool:
        """Poll the task once more, which is free; whether the picture is at another place now."""
        if self._submission.task_id is None:
            return False
        try:
            task = await self._client.poll(self._submission.task_id, self._references)
        except GatewayError as error:
            self._failure = error
            return False
        self._failure = None
        before, self.image = self.image, task.image or self.image
        return self.image.url != before.url

    def explained(self, failure: LinkError) -> GptImageError:
        """Return the last failure, with why there is no fresh link."""
        if self._failure is None:
            return failure
        return GatewayError(f"{failure}, and no fresh one could be had: {self._failure}", status=self._failure.status)

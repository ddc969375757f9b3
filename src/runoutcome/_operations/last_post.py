"""The last create of an operation, for exceptions that leave where no step sees them."""

from __future__ import annotations

from .._errors.portable import Portable
from .._outcome.body import look
from .._waiting.resume_token import ResumeToken, epoch_seconds
from .effects import Post
from .interrupts import tell
from .submit import include_of, window_of


class LastPost:
    """The last create of an operation. What leaves the operation, in any frame, carries what is known of it.

    Steps label what passes through them; an interrupt can also come where they do not see it.
    """

    def __init__(self) -> None:
        self._post: Post | None = None

    def note(self, effect: object) -> None:
        """Remember an effect that is about to be carried out, if it is a create."""
        if isinstance(effect, Post):
            self._post = effect

    def forget_unanswered(self) -> None:
        """Forget a create that failed: the steps have been told, and have gone on."""
        if self._post is not None and not self._post.answers:
            self._post = None

    def label(self, error: BaseException) -> None:
        """Give an exception the run's key, and from the answer on its resume token, unless it has a token."""
        if self._post is None or getattr(error, "run_token", None) is not None:
            return
        answer = self._post.answers[0] if self._post.answers else None
        response_id = look(answer, "id")
        if isinstance(response_id, str) and response_id:
            created_at = epoch_seconds(look(answer, "created_at"))
            params = self._post.params
            token = ResumeToken(response_id, created_at, self._post.key, window_of(params), include=include_of(params))
            tell(error, "run_token", token.dumps())
        elif getattr(error, "run_key", None) is None and not isinstance(error, Portable):
            tell(error, "run_key", self._post.key)

"""Why a request is not taken for a webhook. The messages name neither a secret nor anything of the body."""

from __future__ import annotations

from .. import _sdk


class WebhookError(ValueError):
    """A request that is no webhook of the provider's, or one that cannot be read: answer it with 400."""


class WebhookSignatureError(WebhookError, _sdk.InvalidWebhookSignatureError):
    """No signature of the request holds, or it was signed too long ago, or in the future."""

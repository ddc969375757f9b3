"""Errors of requests that are not webhooks. Their messages contain no secret and nothing of the body."""

from .. import _sdk


class WebhookError(ValueError):
    """A request that is not a webhook of the provider, or cannot be read: answer it with 400."""

    __module__ = "runoutcome.webhooks"


class WebhookSignatureError(WebhookError, _sdk.InvalidWebhookSignatureError):
    """No signature of the request is valid, or it was signed too long ago or in the future."""

    __module__ = "runoutcome.webhooks"

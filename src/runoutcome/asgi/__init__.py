"""ASGI: an application for webhooks, and a middleware that adds the `outcome` field. No dependencies."""

from ._outcome import OutcomeMiddleware as OutcomeMiddleware
from ._webhooks import WebhookApp as WebhookApp, webhook_route as webhook_route

__all__ = ["OutcomeMiddleware", "WebhookApp", "webhook_route"]

"""Webhooks of runs: verified, told once, and a wait that they end.

    from runoutcome import AsyncRuns
    from runoutcome.webhooks import Inbox

    inbox = Inbox(os.environ["OPENAI_WEBHOOK_SECRET"])  # several secrets while one is rotated
    runs = AsyncRuns(client, notices=inbox)

`runoutcome.asgi` serves an inbox by Starlette, FastAPI and other ASGI servers; elsewhere call `inbox.receive`. A
webhook is a notice, not a body: it says that a run has ended, and the run is fetched by its id. One that is lost costs
minutes, as a wait goes on polling, slowly.
"""

from ._errors import WebhookError, WebhookSignatureError
from ._inbox import Inbox, Receipt
from ._notice import Notice
from ._seen_ids import MemorySeenIds, SeenIds
from ._verify import verify

__all__ = [
    "Inbox",
    "MemorySeenIds",
    "Notice",
    "Receipt",
    "SeenIds",
    "WebhookError",
    "WebhookSignatureError",
    "verify",
]

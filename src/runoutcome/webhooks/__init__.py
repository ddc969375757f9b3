"""Webhooks of runs: verified, delivered once, and able to end a wait.

    from runoutcome import AsyncRuns
    from runoutcome.webhooks import Inbox

    inbox = Inbox(os.environ["OPENAI_WEBHOOK_SECRET"])  # several secrets while one is rotated
    runs = AsyncRuns(client, notices=inbox)

`runoutcome.asgi` serves an inbox by Starlette, FastAPI and other ASGI servers; elsewhere call `inbox.receive`. A
webhook is a notice, not a body: it says that a run has ended, and the run is fetched by its id. A lost webhook costs
minutes, because the wait goes on polling, slowly.
"""

from inspect import isfunction

from ._errors import WebhookError, WebhookSignatureError
from ._inbox import Inbox, Receipt
from ._notice import Notice
from ._redis_notices import RedisNotices
from ._seen_ids import MemorySeenIds, SeenIds
from ._verify import verify

__all__ = [
    "Inbox",
    "MemorySeenIds",
    "Notice",
    "Receipt",
    "RedisNotices",
    "SeenIds",
    "WebhookError",
    "WebhookSignatureError",
    "verify",
]

for _name in __all__:
    if isfunction(_value := globals()[_name]):
        _value.__module__ = __name__  # its address in pickles and in `help()`

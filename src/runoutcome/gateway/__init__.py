"""A reverse proxy for any client of the Responses API, which adds the `outcome` field. Extra: `runoutcome[gateway]`.

    runoutcome gateway --upstream https://api.openai.com/v1

`Gateway` is the ASGI application, `serve` runs it on a port.
"""

from typing import TYPE_CHECKING, Any

from ._errors import GatewayError as GatewayError
from ._gateway import Gateway as Gateway

if TYPE_CHECKING:
    from ._server import serve as serve

__all__ = ["Gateway", "GatewayError", "serve"]


def __getattr__(name: str) -> Any:
    if name != "serve":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from ._server import serve
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "uvicorn":
            raise
        raise ImportError("serve needs uvicorn: install runoutcome[gateway]") from error
    return serve

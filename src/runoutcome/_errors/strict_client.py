"""`strict_client`: for code that only takes a client, a client that raises what `raise_for_status` raises."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from .. import _sdk
from .._catalog.catalog import Catalog
from .._checks import check_type, refuse_type
from .._outcome.classify import examine
from .._sdk.strict_copy import ClientT, strict_copy
from .raising import (
    Accept,
    Require,
    check_require,
    is_accepted,
    lacks_output,
    make_error,
    origin_of,
    parse_accept,
)

_POLLED = 200


def strict_client(
    client: ClientT,
    *,
    accept: Accept | Iterable[Accept] = (),
    require: Require | None = None,
    catalog: Catalog | None = None,
) -> ClientT:
    """A copy of `client` whose `responses.retrieve`, `create` and `parse` raise for a run that did not complete.

    They raise what `raise_for_status` raises, with the same `accept`, `require` and `catalog`; a pending run is always
    returned. `client` itself is left as it is. The copy shares its HTTP client and settings, and copies of the copy
    are strict too. Raw calls, streams, cancels and answers without a status stay as they are. Takes `OpenAI` and
    `AsyncOpenAI`, and their subclasses such as Azure's. Raises TypeError for what is no such client, or has
    `responses` of its own, and ValueError for other words in `accept` and `require`.
    """
    _check(client, catalog)
    accepted = parse_accept(accept) | {"pending"}
    check_require(require)

    def judge(run: _sdk.Response, url: str | None) -> Exception | None:
        outcome, reading = examine(run, catalog=catalog)
        if outcome.status is None or (is_accepted(outcome, accepted) and not lacks_output(outcome, require)):
            return None
        origin = origin_of(run, reading)
        return make_error(outcome, replace(origin, poll_status_code=origin.poll_status_code or _POLLED, url=url))

    return strict_copy(client, judge)


strict_client.__module__ = "runoutcome"


def _check(client: object, catalog: object) -> None:
    if not isinstance(client, (_sdk.OpenAI, _sdk.AsyncOpenAI)):
        refuse_type(client, "client is an OpenAI or AsyncOpenAI client, or one of Azure's")
    if catalog is not None:
        check_type(catalog, Catalog, "catalog is a Catalog, or None")

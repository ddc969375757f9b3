"""The address of `Traveller` in pickles of 0.1.0 before its modules were moved."""

from dataclasses import dataclass, field
from typing import Any

from ._errors.sdk_pickling import unpack


@dataclass(frozen=True)
class Traveller:
    """An exception in a pickled group: its class, text, attributes (`carried`) and HTTP exchange."""

    kind: type[Exception]
    text: str
    status_code: int | None = None
    url: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, str] | None = None
    carried: dict[str, Any] = field(default_factory=dict)

    def exception(self) -> Exception:
        """The exception itself."""
        exchange = {"url": self.url, "body": self.body, "status_code": self.status_code, "headers": self.headers}
        return unpack((self.kind, self.text, self.carried, exchange))

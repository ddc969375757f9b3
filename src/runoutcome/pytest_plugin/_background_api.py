"""`BackgroundApi`, the value of the pytest fixture `background_api`: an emulator, and real clients of it."""

from collections.abc import Collection, Mapping
from contextlib import ExitStack
from typing import Any, Literal

from .._sdk import AsyncOpenAI, OpenAI
from .._sdk.responses import native_http_library
from ..testing import Emulator, EmulatorError, ManualClock, assert_client_ok

API_KEY = "emulated"
REAL_TIME_SPEED = 10.0
"""Runs of the scenario `happy` take 50 ms."""


class BackgroundApi(Emulator):
    """The background API for one test, by the options of its marker.

    Time is real and `speed` times as fast as in the scenario (default 10), or, with `clock="manual"`, moved by the test
    (`speed` is then 1). With `socket=False` nothing listens, and the clients reach the emulator in the process. Raises
    the errors of `Emulator`, and EmulatorError for another clock.
    """

    __module__ = "runoutcome.pytest_plugin"

    api_key = API_KEY

    def __init__(
        self,
        scenario: Any = "happy",
        *,
        clock: Literal["real", "manual"] = "real",
        speed: float | None = None,
        seed: int | None = None,
        socket: bool = True,
        strict: bool = True,
        webhook_url: str | None = None,
        webhook_secret: str | None = None,
    ) -> None:
        if clock not in ("real", "manual"):
            raise EmulatorError(f"the clock is 'real' or 'manual', got {clock!r}")
        self._manual = ManualClock() if clock == "manual" else None
        super().__init__(
            scenario,
            clock=self._manual,
            speed=speed if speed is not None else 1.0 if self._manual else REAL_TIME_SPEED,
            seed=seed,
            webhook_url=webhook_url,
            webhook_secret=webhook_secret,
        )
        self._has_socket = socket
        self._strict = strict
        self._clients = ExitStack()

    def start(self) -> "BackgroundApi":
        """Listen, unless `socket=False`."""
        if self._has_socket:
            super().start()
        return self

    def stop(self) -> None:
        """Close the clients, every connection and the port."""
        self._clients.close()
        super().stop()

    def __enter__(self) -> "BackgroundApi":
        return self.start()

    @property
    def base_url(self) -> str:
        """Base URL for a client."""
        return super().base_url if self._has_socket else "http://background-api.invalid/v1"

    @property
    def environ(self) -> Mapping[str, str]:
        """Environment variables for code that makes its own client. Raises EmulatorError without a socket."""
        if not self._has_socket:
            raise EmulatorError("a client that is made elsewhere needs the socket, which socket=False has switched off")
        return {"OPENAI_BASE_URL": self.base_url, "OPENAI_API_KEY": self.api_key}

    @property
    def clock(self) -> ManualClock:
        """Clock of the emulator, for `advance`. Raises EmulatorError if the time is real."""
        if self._manual is None:
            raise EmulatorError('the time of this test is real; ask with @pytest.mark.background_api(clock="manual")')
        return self._manual

    def client(self, **options: Any) -> OpenAI:
        """Return a real client, closed after the test; `options` are those of `openai.OpenAI`."""
        if not self._has_socket:
            http = native_http_library()
            options.setdefault("http_client", http.Client(transport=self.transport(), follow_redirects=True))
        return self._clients.enter_context(OpenAI(**self._own, **options))

    def async_client(self, **options: Any) -> AsyncOpenAI:
        """Return a real asynchronous client; `options` are those of `openai.AsyncOpenAI`.

        It need not be closed, because it keeps no connection between requests.
        """
        http = native_http_library()
        if "http_client" not in options:
            limits = http.Limits(max_keepalive_connections=0)
            transport = None if self._has_socket else self.async_transport()
            options["http_client"] = http.AsyncClient(limits=limits, follow_redirects=True, transport=transport)
        return AsyncOpenAI(**self._own, **options)

    def allow_unconsumed(self) -> None:
        """Permit scripted outcomes to be left over in this test."""
        self._strict = False

    def assert_client_ok(self, allow: Collection[str] = ()) -> None:
        """Raise AssertionError if the client did something wrong, except for the kinds of findings in `allow`.

        Raises ValueError for an unknown kind.
        """
        assert_client_ok(self.verdict(), allow)

    @property
    def complaint(self) -> str | None:
        """Failure of a strict test at its end; None if every scripted outcome was used."""
        if not self._strict or not (left := self.unconsumed):
            return None
        listed = ", ".join(f"'{name}'" for name in left)
        return (
            f"background_api: {len(left)} scripted outcome(s) that no create came for: {listed}.\n"
            f"{len(self.runs)} run(s) were created. Either the code under test made fewer runs than scripted, or their "
            "requests did not fit `match`, or had markers of their own.\n"
            "If that is meant: background_api.allow_unconsumed(), @pytest.mark.background_api(strict=False), or "
            "background_api_strict = false in the configuration of pytest."
        )

    @property
    def _own(self) -> dict[str, Any]:
        return {"base_url": self.base_url, "api_key": self.api_key}

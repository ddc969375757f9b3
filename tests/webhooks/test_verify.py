"""Signatures of webhooks: what is taken, what is refused and why, and what the SDK's own check says of the same."""

from __future__ import annotations

import base64
import hmac
import pickle
import time
from collections.abc import Callable, Iterator
from email.message import Message
from types import SimpleNamespace
from typing import Any

import openai
import pytest
from hypothesis import given, strategies as st
from starlette.datastructures import Headers

from runoutcome.webhooks import Inbox, Notice, WebhookError, WebhookSignatureError, verify
from webhook_samples import FOREIGN_SECRET, NOW, OLD_SECRET, SECRET, event, sign, signature

BODY = event()
HEADERS = sign(BODY)
RAW_SECRET = "a secret of any form, ümläuts too"


def refusal(headers: Any, body: Any = BODY, secrets: Any = SECRET, **options: Any) -> WebhookError:
    """The error that a webhook is refused with."""
    with pytest.raises(WebhookError) as caught:
        verify(body, headers, secrets, **{"now": NOW, **options})
    return caught.value


@pytest.fixture(scope="module")
def client() -> Iterator[openai.OpenAI]:
    """A client, for what the SDK itself says."""
    with openai.OpenAI(api_key="any") as client:
        yield client


@pytest.mark.parametrize("status", ["completed", "failed", "incomplete", "cancelled"])
def test_the_four_events_of_a_run(status: str) -> None:
    """An event of a run gives its ids, its type, and when it happened."""
    body = event(f"response.{status}")
    notice = verify(body, sign(body), SECRET, now=NOW)
    assert notice == Notice("wh_1", "evt_1", f"response.{status}", "resp_1", NOW - 5)
    assert (notice.is_run, notice.response_id, notice.status) == (True, "resp_1", status)


@pytest.mark.parametrize(
    "type", ["batch.completed", "fine_tuning.job.failed", "realtime.call.incoming", "new.thing", "x"]
)
def test_events_of_something_else(type: str) -> None:
    """Any other event is verified and told, and is not about a run."""
    body = event(type, "batch_1")
    notice = verify(body, sign(body), SECRET, now=NOW)
    assert (notice.type, notice.data_id, notice.is_run, notice.response_id) == (type, "batch_1", False, None)


@pytest.mark.parametrize("data", [None, [], {}, {"id": None}, {"id": 5}, {"id": ""}], ids=repr)
def test_an_event_without_an_id(data: object) -> None:
    """An event of a run that names none is told, and is about no run."""
    body = event(data=data)
    assert verify(body, sign(body), SECRET, now=NOW).is_run is False


@pytest.mark.parametrize(
    ("created_at", "told"),
    [(5, 5), (5.9, 5), (None, None), (True, None), ("soon", None), (-1, None), (10**400, None), ({}, None)],
    ids=lambda value: repr(value)[:9],
)
def test_when_it_happened(created_at: object, told: int | None) -> None:
    """A time that is no sane number is left out, and is no reason to refuse the event."""
    body = event(created_at=created_at, id=None)
    notice = verify(body, sign(body), SECRET, now=NOW)
    assert (notice.created_at, notice.event_id) == (told, None)


def _message() -> Message:
    message = Message()
    for name, value in HEADERS.items():
        message[name.title()] = value
    return message


HEADER_FORMS: dict[str, Any] = {
    "a dict": HEADERS,
    "title case": {name.title(): value for name, value in HEADERS.items()},
    "upper case": {name.upper(): value for name, value in HEADERS.items()},
    "Django's META, or WSGI": {
        "wsgi.errors": object(),
        "SERVER_PORT": 80,
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in HEADERS.items()},
    },
    "bytes": {name.encode(): value.encode() for name, value in HEADERS.items()},
    "pairs": [("host", "a"), *HEADERS.items(), ("webhook-id", "a second one")],
    "ASGI's pairs": [(name.encode(), value.encode()) for name, value in HEADERS.items()],
    "Starlette": Headers(HEADERS),
    "the standard library": _message(),
    "items only": SimpleNamespace(items=HEADERS.items),
}


@pytest.mark.parametrize("headers", HEADER_FORMS.values(), ids=HEADER_FORMS)
def test_headers_of_every_framework(headers: Any) -> None:
    """Headers are found in whatever form a framework has them."""
    assert verify(BODY, headers, SECRET, now=NOW).webhook_id == "wh_1"


@pytest.mark.parametrize("body", [BODY, BODY.decode(), bytearray(BODY), memoryview(BODY)], ids=lambda body: type(body))
def test_bodies_of_every_type(body: Any) -> None:
    """The body is bytes or text."""
    assert verify(body, HEADERS, SECRET, now=NOW).response_id == "resp_1"


def test_a_body_beyond_ascii() -> None:
    """A signature is over the bytes of the body, whether they are given as bytes or as text."""
    body = event().replace(b"evt_1", "evt_ü".encode())
    assert verify(body, sign(body), SECRET, now=NOW) == verify(body.decode(), sign(body), SECRET, now=NOW)


@pytest.mark.parametrize("body", [{"type": "response.completed"}, None, 5], ids=repr)
def test_what_was_parsed_is_not_what_came(body: Any) -> None:
    """A body that was parsed already is a mistake of the caller's, and says so."""
    with pytest.raises(TypeError, match="pass the raw body, bytes or text, not the parsed one"):
        verify(body, HEADERS, SECRET, now=NOW)


@pytest.mark.parametrize("secret", [SECRET, f" {SECRET}\n", f"{SECRET}\r\n"])
def test_a_secret_with_white_space_around_it(secret: str) -> None:
    """White space around `whsec_...`, as an environment file leaves it, does no harm."""
    assert verify(BODY, HEADERS, secret, now=NOW)


def test_a_secret_of_another_form() -> None:
    """Any text that does not begin with `whsec_` or `v1,whsec_` is the key as it stands, as the SDK has it."""
    assert verify(BODY, sign(BODY, by=[RAW_SECRET]), RAW_SECRET, now=NOW)
    assert isinstance(refusal(sign(BODY, by=[RAW_SECRET]), secrets=f"{RAW_SECRET} "), WebhookSignatureError)


@pytest.mark.parametrize("by", [[SECRET], [OLD_SECRET], [OLD_SECRET, SECRET], [FOREIGN_SECRET, OLD_SECRET]])
def test_a_rotation(by: list[str]) -> None:
    """With several secrets one signature by one of them is enough, in whatever order they are."""
    for secrets in ([SECRET, OLD_SECRET], (OLD_SECRET, SECRET)):
        assert verify(BODY, sign(BODY, by=by), secrets, now=NOW)


def test_every_secret_is_compared_with_every_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long it takes does not tell which secret fits, or whether one does."""
    compared: list[bool] = []
    compare = hmac.compare_digest

    def counting(ours: bytes, theirs: bytes) -> bool:
        compared.append(compare(ours, theirs))
        return compared[-1]

    monkeypatch.setattr(hmac, "compare_digest", counting)
    verify(BODY, sign(BODY, by=[SECRET, OLD_SECRET, FOREIGN_SECRET]), [SECRET, OLD_SECRET], now=NOW)
    assert compared == [True, False, False, False, True, False]


def test_versions_of_signatures() -> None:
    """Signatures of other versions are passed over; one without a version counts, as it does for the SDK."""
    good = signature(BODY, SECRET, "wh_1", NOW)
    for accepted in (f"v1a,{good} v1,{good}", f"v2,x  v1,{good} v1,y", good):
        assert verify(BODY, {**HEADERS, "webhook-signature": accepted}, SECRET, now=NOW)
    for refused in (f"v1a,{good}", f"v2,{good}", f"v1,{good[:-1]}", "v1,", ",", "v1,é", f"v1,{good}x"):
        assert isinstance(refusal({**HEADERS, "webhook-signature": refused}), WebhookSignatureError)


@pytest.mark.parametrize(("skew", "tolerance"), [(0, 300), (300, 300), (-300, 300), (0, 0), (86_400, float("inf"))])
def test_clocks_may_be_apart(skew: int, tolerance: float) -> None:
    """A webhook that was signed up to `tolerance_seconds` before or after now is taken."""
    assert verify(BODY, sign(BODY, at=NOW - skew), SECRET, now=NOW + 0.9, tolerance_seconds=tolerance)


@pytest.mark.parametrize(
    ("skew", "tolerance", "said"),
    [
        (301, 300, "signed 301 s ago, and 300 s are tolerated"),
        (-301, 300, "signed 301 s in the future"),
        (1, 0, "signed 1 s ago, and 0 s are tolerated"),
        (NOW, 300, f"signed {NOW} s ago"),
    ],
)
def test_clocks_too_far_apart(skew: int, tolerance: float, said: str) -> None:
    """Outside of it the webhook is refused, and the error says by how much, though the signature is good."""
    error = refusal(sign(BODY, at=NOW - skew), tolerance_seconds=tolerance)
    assert isinstance(error, WebhookSignatureError)
    assert said in str(error)


def test_now_is_this_machines_time() -> None:
    """Left out, `now` is the time of this machine."""
    assert verify(BODY, sign(BODY, at=int(time.time())), SECRET)
    with pytest.raises(WebhookSignatureError, match="s ago"):
        verify(BODY, sign(BODY, at=int(time.time()) - 600), SECRET)


@pytest.mark.parametrize("at", ["soon", "1_800_000_000", "18e8", "+1800000000", "-1", "١٨٠", "1" * 13, " 1800000000"])
def test_a_timestamp_that_is_no_number(at: str) -> None:
    """A timestamp is a plain number of seconds, whatever else Python takes for one."""
    error = refusal(sign(BODY, at=at))
    assert isinstance(error, WebhookSignatureError)
    assert "webhook-timestamp is not a number" in str(error)


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("value", [None, ""], ids=["left out", "empty"])
def test_a_missing_header(name: str, value: str | None) -> None:
    """Without one of the three headers the error names it, and is a plain ValueError, as the SDK's."""
    headers = {other: text for other, text in HEADERS.items() if other != name}
    error = refusal(headers if value is None else {**headers, name: value})
    assert f"the header {name} is missing" in str(error)
    assert not isinstance(error, openai.InvalidWebhookSignatureError)


@pytest.mark.parametrize(
    ("body", "headers", "secrets"),
    [
        (BODY, HEADERS, FOREIGN_SECRET),
        (BODY, HEADERS, [FOREIGN_SECRET, OLD_SECRET]),
        (BODY + b" ", HEADERS, SECRET),
        (BODY.replace(b"resp_1", b"resp_2"), HEADERS, SECRET),
        (BODY, {**HEADERS, "webhook-id": "wh_2"}, SECRET),
        (BODY, {**HEADERS, "webhook-timestamp": str(NOW + 1)}, SECRET),
        ("\ud800", HEADERS, SECRET),
    ],
    ids=["wrong secret", "wrong secrets", "longer", "changed", "other id", "other time", "no Unicode"],
)
def test_a_signature_that_does_not_hold(body: Any, headers: Any, secrets: Any) -> None:
    """A wrong secret, and a changed body, id or time, are refused; the error says what to check."""
    error = refusal(headers, body, secrets)
    assert isinstance(error, WebhookSignatureError)
    assert "check that the secret belongs to this endpoint" in str(error)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", BODY[:-20], b"[]", b"null", b'"event"', b"\xff\xfe", b"[" * 100_000),
        *(BODY.decode().encode("utf-16"), event(None), event(5), event("")),
    ],
    ids=lambda body: repr(body[:9]),
)
def test_a_good_signature_of_something_else(body: bytes) -> None:
    """What is signed and is no event is refused, and the error says that the signature is not the reason."""
    error = refusal(sign(body), body)
    assert "the signature is valid, but the body is not" in str(error)
    assert not isinstance(error, WebhookSignatureError)


@pytest.mark.parametrize(
    "secrets",
    ["", "  ", "whsec_", "whsec_?", "whsec_YQ", "whsec_ab-cd", "whsec_é", "v1,", "v1,whsec_", [], [SECRET, ""]],
    ids=repr,
)
def test_what_cannot_be_a_secret(secrets: Any) -> None:
    """A secret that is empty or cut is an error of the receiver's, not of the webhook."""
    with pytest.raises(ValueError, match="secret") as caught:
        verify(BODY, HEADERS, secrets, now=NOW)
    assert not isinstance(caught.value, WebhookError)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("secret", [f"v1,{SECRET}", f" v1,{SECRET} "])
def test_a_secret_with_its_version(secret: str) -> None:
    """Some providers show a secret as `v1,whsec_...`: the version is not part of it."""
    assert verify(BODY, HEADERS, secret, now=NOW)


@pytest.mark.parametrize("secret", ["a key of 23 bytes, yes.", "whsec_" + base64.b64encode(b"x" * 23).decode()])
def test_a_key_that_is_too_short(secret: str) -> None:
    """A key of fewer than 24 bytes is refused, and the error says how long it is."""
    with pytest.raises(ValueError, match="at least 24 bytes; this one has 23"):
        verify(BODY, HEADERS, secret, now=NOW)
    assert verify(BODY, sign(BODY, by=["a key of 24 bytes, yes!!"]), "a key of 24 bytes, yes!!", now=NOW)


@pytest.mark.parametrize("headers", [None, 5, "webhook-id", ["webhook-id"], [("a", "b", "c")], [None], 1j], ids=repr)
def test_headers_that_are_none(headers: Any) -> None:
    """What is neither a mapping nor pairs is refused like any request that is not a webhook."""
    assert "pass the headers of the request" in str(refusal(headers))


@pytest.mark.parametrize("secrets", [None, [None], b"whsec_", 5, [SECRET, 5]], ids=repr)
def test_a_secret_of_another_type(secrets: Any) -> None:
    """A variable that is not set gives None, and the error says what was expected."""
    for use in (lambda: verify(BODY, HEADERS, secrets, now=NOW), lambda: Inbox(secrets)):
        with pytest.raises(TypeError, match=r"a webhook secret is a text such as whsec_...; got") as caught:
            use()
        assert SECRET not in str(caught.value)


@pytest.mark.parametrize("tolerance", ["300", None, True])
def test_a_tolerance_of_another_type(tolerance: Any) -> None:
    """What is no number is a TypeError that names it."""
    with pytest.raises(TypeError, match="tolerance_seconds is a number of seconds; got"):
        verify(BODY, HEADERS, SECRET, now=NOW, tolerance_seconds=tolerance)


@pytest.mark.parametrize("tolerance", [-1, float("nan")])
def test_what_cannot_be_a_tolerance(tolerance: float) -> None:
    """No comparison holds with such a number, so it would switch the check off."""
    with pytest.raises(ValueError, match="tolerance_seconds is 0 or more"):
        verify(BODY, HEADERS, SECRET, tolerance_seconds=tolerance, now=NOW)


REFUSED: dict[str, Callable[[], WebhookError]] = {
    "missing": lambda: refusal({}),
    "timestamp": lambda: refusal({**HEADERS, "webhook-timestamp": "soon"}),
    "too old": lambda: refusal(sign(BODY, at=1)),
    "wrong secret": lambda: refusal(sign(BODY, by=[OLD_SECRET]), secrets=[SECRET, FOREIGN_SECRET]),
    "no JSON": lambda: refusal(sign(b"private words"), b"private words"),
    "no event": lambda: refusal(sign(b'{"private": "words"}'), b'{"private": "words"}'),
}


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED)
def test_errors_tell_no_secret(refused: Callable[[], WebhookError]) -> None:
    """No error, and no variable of our frames in its traceback, shows a secret; no message shows the body."""
    error = refused()
    shown = [str(error), repr(error)]
    assert "private" not in str(error)
    assert len(str(error)) < 200
    frame = error.__traceback__
    while frame is not None:
        if "/webhooks/_" in frame.tb_frame.f_code.co_filename:
            shown += map(repr, frame.tb_frame.f_locals.values())
        frame = frame.tb_next
    assert len(shown) > 2
    keys = [base64.b64decode(secret[6:]) for secret in (SECRET, FOREIGN_SECRET)]
    for secret in (SECRET, FOREIGN_SECRET, *map(repr, keys)):
        assert not any(secret in text for text in shown)


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED)
def test_errors_travel(refused: Callable[[], WebhookError]) -> None:
    """An error is the same after pickling."""
    error = refused()
    twin = pickle.loads(pickle.dumps(error))
    assert (type(twin), str(twin)) == (type(error), str(error))


SHOWN = base64.b64encode(b"words of a secret that is shown").decode()


@pytest.mark.parametrize(
    ("secrets", "options"),
    [
        (f"whsec_{SHOWN}?", {}),
        (f"v1,whsec_{SHOWN[:-3]}", {}),
        ([SECRET, f"whsec_{SHOWN}?"], {}),
        ([f"whsec_{SHOWN}", 5], {}),
        (f"whsec_{SHOWN}".encode(), {}),
        (SHOWN[:20], {}),
        (f"whsec_{SHOWN}", {"tolerance_seconds": -1}),
        (f"whsec_{SHOWN}", {"tolerance_seconds": "300"}),
    ],
)
@pytest.mark.parametrize("use", [Inbox, lambda secrets, **options: verify(BODY, HEADERS, secrets, **options)])
def test_errors_about_secrets_tell_no_secret(secrets: Any, options: dict[str, Any], use: Callable[..., object]) -> None:
    """No variable of our frames in the traceback of a wrong secret, or of a wrong option, shows one."""
    with pytest.raises((ValueError, TypeError)) as caught:
        use(secrets, **options)
    error = caught.value
    assert error.__context__ is None
    shown = [str(error)]
    frame = error.__traceback__
    while frame is not None:
        if "/runoutcome/" in frame.tb_frame.f_code.co_filename:
            shown += map(repr, frame.tb_frame.f_locals.values())
        frame = frame.tb_next
    assert len(shown) > 1
    assert not any(part in text for part in (SHOWN[:20], "words of a secret", SECRET) for text in shown)


def test_existing_except_clauses_hold() -> None:
    """Whoever catches the SDK's error of a bad signature, or ValueError, catches ours."""
    assert issubclass(WebhookSignatureError, openai.InvalidWebhookSignatureError)
    assert issubclass(WebhookError, ValueError)


texts = st.text(max_size=40)
names = st.sampled_from([*HEADERS, "HTTP_WEBHOOK_ID", "Webhook-Signature"]) | texts
values = st.sampled_from([*HEADERS.values(), "v1,", str(NOW)]) | texts
headers_of_any_kind = (
    st.dictionaries(names, values | st.binary(max_size=9) | st.none() | st.integers())
    | st.lists(st.tuples(names, values))
    | st.lists(st.tuples(st.binary(max_size=9), st.binary(max_size=9)))
)


@given(st.binary() | texts, headers_of_any_kind, st.lists(st.text(min_size=1), min_size=1, max_size=3))
def test_whatever_comes_is_refused_in_one_way(body: Any, headers: Any, secrets: list[str]) -> None:
    """Any body with any headers gives a `WebhookError` where it is no webhook, and nothing else."""
    secrets = [f"a secret that is long enough {secret}" for secret in secrets]
    with pytest.raises(WebhookError):
        verify(body, headers, secrets, now=NOW)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


@given(
    st.fixed_dictionaries(
        {}, optional={"id": json_values, "type": json_values, "created_at": json_values, "data": json_values}
    )
)
def test_whatever_is_signed_is_told_or_refused(fields: dict[str, Any]) -> None:
    """Any signed JSON gives a notice, or a `WebhookError` that does not blame the signature."""
    body = event(**{"type": "response.completed", "data_id": "resp_1", **fields})
    type = fields.get("type", "response.completed")
    if not isinstance(type, str) or not type:
        assert "the signature is valid" in str(refusal(sign(body), body))
        return
    notice = verify(body, sign(body), SECRET, now=NOW)
    assert notice.is_run == (notice.response_id is not None)
    assert pickle.loads(pickle.dumps(notice)) == notice


@given(st.data())
def test_one_changed_bit_is_enough(data: st.DataObject) -> None:
    """No webhook is taken whose body differs in one bit from what was signed."""
    place = data.draw(st.integers(0, len(BODY) * 8 - 1))
    body = bytearray(BODY)
    body[place // 8] ^= 1 << place % 8
    assert isinstance(refusal(HEADERS, bytes(body)), WebhookSignatureError)


def _samples() -> Iterator[tuple[str, bytes | str, dict[str, str], str]]:
    now = int(time.time())
    body = event()
    good = sign(body, at=now)
    yield "good", body, good, SECRET
    yield "text", body.decode(), good, SECRET
    yield "title case", body, {name.title(): value for name, value in good.items()}, SECRET
    yield "raw secret", body, sign(body, at=now, by=[RAW_SECRET]), RAW_SECRET
    yield "two signatures", body, sign(body, at=now, by=[OLD_SECRET, SECRET]), SECRET
    yield "no version", body, {**good, "webhook-signature": good["webhook-signature"][3:]}, SECRET
    yield "other version", body, {**good, "webhook-signature": "v1a" + good["webhook-signature"][2:]}, SECRET
    yield "almost too old", body, sign(body, at=now - 290), SECRET
    yield "too old", body, sign(body, at=now - 310), SECRET
    yield "almost too new", body, sign(body, at=now + 290), SECRET
    yield "too new", body, sign(body, at=now + 310), SECRET
    yield "no time", body, sign(body, at="soon"), SECRET
    yield "wrong secret", body, good, FOREIGN_SECRET
    yield "changed", body + b" ", good, SECRET
    yield "cut", body[:-5], sign(body[:-5], at=now), SECRET
    for name in good:
        yield f"without {name}", body, {other: good[other] for other in good if other != name}, SECRET


@pytest.mark.parametrize(("body", "headers", "secret"), [pytest.param(*rest, id=name) for name, *rest in _samples()])
def test_the_sdk_agrees(client: openai.OpenAI, body: Any, headers: dict[str, str], secret: str) -> None:
    """What `client.webhooks.unwrap` takes is taken, what it refuses is refused, in a way its except clauses catch."""
    try:
        theirs = client.webhooks.unwrap(body, headers, secret=secret)
    except ValueError as error:
        is_signature = isinstance(error, openai.InvalidWebhookSignatureError)
        with pytest.raises(openai.InvalidWebhookSignatureError if is_signature else ValueError):
            verify(body, headers, secret)
    else:
        ours = verify(body, headers, secret)
        assert (ours.event_id, ours.type, ours.response_id) == (theirs.id, theirs.type, getattr(theirs.data, "id", 0))
        assert ours.created_at == theirs.created_at

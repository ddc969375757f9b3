"""The status page: it shows what there is, needs no key, and charges nobody's client."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from html.parser import HTMLParser
from typing import Any

import openai
import pytest
from openai import OpenAI

from runoutcome.testing import Emulator, ManualClock

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """The elements of a page, and whether each that was opened was closed in its place."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """An element ends: the one that was opened last."""
        assert self.open.pop() == tag

    def of(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all elements of one name."""
        return [attributes for name, attributes in self.elements if name == tag]


def get(emulator: Emulator, path: str, method: str = "GET") -> tuple[Any, str]:
    """Headers and text of an answer; no key is sent."""
    request = urllib.request.Request(f"http://127.0.0.1:{emulator.port}{path}", method=method)
    with urllib.request.urlopen(request) as answer:
        return answer.headers, answer.read().decode()


def state_of(emulator: Emulator) -> dict[str, Any]:
    """What the page shows."""
    state: dict[str, Any] = json.loads(get(emulator, "/_emulator/state.json")[1])
    return state


@pytest.fixture
def busy(connect: Callable[[Emulator], OpenAI]) -> Iterator[tuple[Emulator, OpenAI, ManualClock]]:
    """An emulator that nobody has called yet, its client and its clock."""
    clock = ManualClock()
    scenario = {"description": "Polls fail first.", "outcomes": [{"name": "troubled", "poll_faults": ["503"]}]}
    with Emulator(scenario, clock=clock, speed=4) as emulator:
        yield emulator, connect(emulator), clock


def test_the_page_stands_alone(busy: tuple[Emulator, OpenAI, ManualClock]) -> None:
    """It is whole HTML, has a language and a title, fits a phone, and loads nothing from anywhere else."""
    headers, text = get(busy[0], "/")
    page = Page(text)
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert page.open == []
    assert page.of("html") == [{"lang": "en"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.of("meta")
    assert page.of("link") == [{"rel": "icon", "href": "data:,"}]
    assert [attributes.get("src") for attributes in page.of("script")] == [None]
    assert not re.search(r"https?://|@import|url\(|innerHTML|insertAdjacent|document\.write", text)
    assert "prefers-color-scheme: dark" in text


def test_its_tables_can_be_read_aloud(busy: tuple[Emulator, OpenAI, ManualClock]) -> None:
    """Every column has a header, every region and list a name that exists, every id is there once."""
    page = Page(get(busy[0], "/")[1])
    headers = page.of("th")
    assert headers
    assert all(attributes["scope"] == "col" for attributes in headers)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = [attributes["aria-labelledby"] for _, attributes in page.elements if "aria-labelledby" in attributes]
    assert set(named) <= set(ids)
    regions = [attributes for _, attributes in page.elements if attributes.get("role") == "region"]
    assert all("aria-labelledby" in attributes for attributes in regions)
    assert all(attributes.get("tabindex") == "0" for attributes in regions)


def test_its_script_finds_what_it_fills(busy: tuple[Emulator, OpenAI, ManualClock]) -> None:
    """Each id that the script names is in the page, and each field it reads is in the state."""
    emulator, client, clock = busy
    text = get(emulator, "/")[1]
    ids = {attributes["id"] for _, attributes in Page(text).elements if "id" in attributes}
    assert set(re.findall(r'(?:\$|fill)\("([^"]+)"', text)) <= ids
    run = client.responses.create(model="gpt-5", input="hi", background=True)
    clock.advance(10)
    with suppress(openai.APIError):
        client.responses.retrieve(run.id)
    client.responses.create(model="gpt-5", input="hi", background=True)
    state = state_of(emulator)
    assert set(re.findall(r"\bstate\.([a-z_]+)[^a-z_\"]", text)) <= set(state)
    assert set(re.findall(r"state\.totals\.([a-z_]+)", text)) <= set(state["totals"])
    for name, kind in (("run", "runs"), ("request", "requests"), ("found", "findings")):
        assert set(re.findall(rf"\b{name}\.([a-z_]+)", text)) <= set(state[kind][0])


def test_the_state_says_what_there_is(busy: tuple[Emulator, OpenAI, ManualClock]) -> None:
    """Scenario, speed, clock, runs and requests (the newest first), faults, and the findings so far."""
    emulator, client, clock = busy
    state = state_of(emulator)
    assert (state["runs"], state["requests"], state["findings"]) == ([], [], [])
    assert (state["description"], state["speed"], state["now"]) == ("Polls fail first.", 4, clock.now())
    ids = [client.responses.create(model="gpt-5", input="hi", background=True).id for _ in range(2)]
    clock.advance(2)
    with suppress(openai.APIError):
        client.responses.retrieve(ids[0])
    state = fresh_state_of(emulator, requests=3)
    assert [run["id"] for run in state["runs"]] == ids[::-1]
    assert [request["route"] for request in state["requests"]] == ["poll", "create", "create"]
    assert (state["runs"][0]["age_seconds"], state["runs"][0]["status"], state["runs"][0]["told"]) == (
        2,
        "completed",
        "queued",
    )
    assert state["statuses"] == {"completed": 2}
    assert state["base_url"] == emulator.base_url
    assert sum(state["faults"].values()) == 1
    assert [found["kind"] for found in state["findings"]] == ["duplicate_run"]


def fresh_state_of(emulator: Emulator, requests: int) -> dict[str, Any]:
    """The state once it has that many requests: it is made anew as often as it costs little."""
    while True:
        state = state_of(emulator)
        if state["totals"]["requests"] == requests:
            return state


def test_looking_is_no_request_of_the_client(busy: tuple[Emulator, OpenAI, ManualClock]) -> None:
    """Neither the page nor its state is recorded, with GET or HEAD; what is not theirs goes to the API."""
    emulator = busy[0]
    get(emulator, "/")
    assert get(emulator, "/", method="HEAD")[1] == ""
    state_of(emulator)
    assert emulator.requests == []
    for path, method in (("/", "POST"), ("/_emulator/other", "GET"), ("/v1", "GET")):
        with pytest.raises(urllib.error.HTTPError) as caught:
            get(emulator, path, method)
        caught.value.close()
    assert [(request.method, request.path) for request in emulator.requests] == [
        ("POST", "/"),
        ("GET", "/_emulator/other"),
        ("GET", "/v1"),
    ]


def test_many_runs_are_cut_to_the_newest(busy: tuple[Emulator, OpenAI, ManualClock]) -> None:
    """The page shows the last hundred runs and sixty requests; the totals count all of them."""
    emulator, client, _ = busy
    for number in range(130):
        run = client.responses.create(model="gpt-5", input=f"job {number}", background=True)
    state = fresh_state_of(emulator, requests=130)
    assert (len(state["runs"]), len(state["requests"]), state["totals"]["paid_runs"]) == (100, 60, 130)
    assert state["runs"][0]["id"] == run.id

"""The effort of a check grows with the size of a source, and not with its square."""

from __future__ import annotations

import sys
from textwrap import indent

import pytest

from runoutcome.doctor import check_source

pytestmark = pytest.mark.once

WAIT = """
done = False
while not done:
    run{i} = client.responses.retrieve(response_id)
    done = run{i}.status == "completed"
print(run{i}.output_text)
"""
FUNCTION = """
def wait{i}(response_id):
    run = client.responses.retrieve(response_id)
    while run.status in ("queued", "in_progress"):
        run = client.responses.retrieve(response_id)
    return run.output_text
"""
METHOD = """
    def wait{i}(self):
        while True:
            run = self.wait0()
            if run.status == "completed":
                return run
"""
RETRY = """
params{i} = dict(model="m")
params{i}["background"] = True
for _ in range(3):
    try:
        run = client.responses.create(**params{i})
        break
    except openai.APIError:
        pass
"""
HANDED = """
def again{i}(call):
    while True:
        try:
            return call()
        except openai.APIError:
            pass

again{i}(lambda: client.responses.create(background=True))
"""
CASES = {
    "loops in one scope": ("", WAIT),
    "a loop in each function": ("", FUNCTION),
    "a loop in each method": (
        "class Client:\n    def wait0(self):\n        return client.responses.retrieve(id)",
        METHOD,
    ),
    "retries in one scope": ("", RETRY),
    "retries of what is handed": ("", HANDED),
}


def effort(source: str) -> int:
    """The number of calls, and of steps of generators, that a check takes."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        check_source(source)
    finally:
        sys.setprofile(before)
    return calls


def repeated(head: str, part: str, times: int) -> str:
    """A source with a part many times."""
    return "\n".join(["import openai", "client = openai.OpenAI()", head, *(part.format(i=i) for i in range(1, times))])


@pytest.mark.parametrize(("head", "part"), CASES.values(), ids=CASES)
def test_twice_the_loops_take_twice_the_effort(head: str, part: str) -> None:
    """Each loop is looked at once, whatever else is in the file."""
    assert effort(repeated(head, part, 80)) < 2.2 * effort(repeated(head, part, 40))


def test_a_long_function_is_read_once_for_all_who_call_it() -> None:
    """The polls of a function are found once, and not again for each call of it."""

    def source(lines: int, loops: int) -> str:
        head = "def fetch(id):\n" + "    x = 1\n" * lines + "    return client.responses.retrieve(id)\n"
        return repeated(head, "while True:\n    run{i} = fetch(id)\n", loops)

    longer = effort(source(400, 20)) - effort(source(200, 20))
    assert longer < 1.2 * (effort(source(400, 5)) - effort(source(200, 5)))


def test_nested_blocks_do_not_multiply() -> None:
    """A block is followed once, however many ways lead into it."""

    def source(depth: int) -> str:
        inner = ""
        for level in range(depth):
            inner = indent(f"if stop{level}: check(run)\n" + inner, "    ")
            inner = (
                f"if run.x:\n    go()\nelif deadline > {level}:\n    break\nif a{level}:\n    break\nfor x in y:\n"
                + inner
            )
        start = (
            "while True:\n    run = client.responses.retrieve(id)\n    if run.status == 'completed':\n        break\n"
        )
        return start + indent(inner, "    ")

    assert effort(source(16)) < 3 * effort(source(8))

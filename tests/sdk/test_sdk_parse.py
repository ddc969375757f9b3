"""What of the SDK's own parsing is used, and when it is loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from runoutcome._sdk.responses import build_run
from runoutcome._sdk.structured_output import TextFormat, complaints, unparsed


class Moon(BaseModel):
    """What is asked for."""

    name: str
    radius_km: float


def loaded_after(code: str) -> set[str]:
    """The modules of the SDK's `lib` that a fresh interpreter has after running `code`."""
    code += "; import sys; print(*(name for name in sys.modules if name.startswith('openai.lib')))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_a_wait_without_a_format_does_not_pay_for_it() -> None:
    """Importing `Runs` loads nothing of the SDK's parsing that a client does not load itself."""
    client = "from openai import OpenAI; import openai.types.responses; OpenAI(api_key='any').responses"
    assert loaded_after(f"{client}; from runoutcome import Runs") == loaded_after(client)


def test_a_format_says_its_name_and_no_tools() -> None:
    """The tools of a request can be long, and hold what is no matter of a log."""
    wanted, _ = TextFormat.of_request(Moon, {"tools": [{"type": "web_search", "note": "swordfish"}]})
    assert wanted.name == "Moon"
    assert "swordfish" not in repr(wanted)


@pytest.mark.parametrize("status", ["queued", "incomplete", "hibernating"])
@pytest.mark.parametrize("output", [None, [], [{"type": "message", "content": [{"type": "output_text", "text": "x"}]}]])
def test_what_is_not_parsed_is_as_it_was(status: str, output: object) -> None:
    """Any body can be given as a parsed response without a parsed output, with its request id."""
    run = build_run({"id": "resp_1", "object": "response", "status": status, "output": output}, "req_1")
    made = unparsed(run)
    assert (made.id, made.status, made._request_id) == ("resp_1", status, "req_1")
    assert output is None or made.output_parsed is None
    assert unparsed(made) is made


@pytest.mark.parametrize(
    ("text", "kinds"),
    [("{}", ["missing"]), ('{"name": 5}', ["missing", "string_type"]), ("x", ["json_invalid"])],
)
def test_complaints_are_kinds_of_errors(text: str, kinds: list[str]) -> None:
    """What pydantic found is told by its kinds, each once, and any other exception by its name."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Moon).validate_json(text)
    assert complaints(caught.value) == kinds
    assert complaints(KeyError("swordfish")) == ["KeyError"]

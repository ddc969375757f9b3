"""runoutcome: `runoutcome run JOBS -o RESULTS` with its defaults."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from jobs import MODEL, prompts, tell

with tempfile.TemporaryDirectory() as directory:
    jobs, results = Path(directory, "jobs.jsonl"), Path(directory, "results.jsonl")
    lines = [
        {"custom_id": prompt, "method": "POST", "url": "/v1/responses", "body": {"model": MODEL, "input": prompt}}
        for prompt in prompts()
    ]
    jobs.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = subprocess.run(
        [sys.executable, "-m", "runoutcome", "run", jobs, "-o", results], check=False, stdout=sys.stderr
    )
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    for prompt in set(prompts()) - {row["custom_id"] for row in rows}:
        tell(prompt, f"no result yet, exit code {done.returncode}", "")
    for row in rows:
        body = (row.get("response") or {}).get("body") or {}
        parts = [part for item in body.get("output") or () for part in item.get("content") or ()]
        text = "".join(part.get("text", "") for part in parts)
        status = body.get("status") if not row.get("error") else row["error"].get("code")
        tell(row["custom_id"], str(status), text)

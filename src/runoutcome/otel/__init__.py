"""OpenTelemetry: a span for each run, and metrics, by the conventions for generative AI. Needs the extra `otel`.

    from runoutcome import Runs
    from runoutcome.otel import Telemetry

    runs = Runs(client, observer=Telemetry())

It reads the events of the observer, patches nothing, and keeps no prompt and no output.
"""

try:
    from ._telemetry import Telemetry
except ModuleNotFoundError as _error:
    raise ImportError("runoutcome.otel needs opentelemetry-api: pip install 'runoutcome[otel]'") from _error

__all__ = ["Telemetry"]

"""Metrics of background runs for Prometheus, on the emulator: no key, no cost.

pip install 'runoutcome[otel,testing]' opentelemetry-exporter-prometheus
python examples/prometheus_metrics.py    # then look at http://127.0.0.1:9464/metrics
"""

import openai
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import start_http_server

from runoutcome import RunExceptionGroup, Runs
from runoutcome.otel import Telemetry
from runoutcome.testing import Emulator

OUTCOMES = ("completed", "server_error", "insufficient_quota", "length")


def main() -> None:
    """Make runs that end in several ways, and serve the metrics until Enter is pressed."""
    server, _ = start_http_server(9464, addr="127.0.0.1")
    meters = MeterProvider([PrometheusMetricReader()])
    with Emulator({"queued_seconds": 0.2, "running_seconds": 0.5}) as emulator:
        client = openai.OpenAI(base_url=emulator.base_url, api_key="any")
        runs = Runs(client, observer=Telemetry(meter_provider=meters))
        made = [runs.create(model="gpt-5.5", input="Hi", metadata={"emulate": word}) for word in OUTCOMES * 5]
        try:
            runs.gather(made)
        except RunExceptionGroup as group:
            print(group.message)
        input("http://127.0.0.1:9464/metrics has the metrics. Enter ends. ")
    server.shutdown()
    meters.shutdown()


if __name__ == "__main__":
    main()

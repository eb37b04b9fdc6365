"""The one import of grafana-foundation-sdk.

The SDK warns, while it is imported, that its classic dashboards are deprecated in favour of v2. File provisioning
refuses v2 (Grafana 13.1), so classic is what we want, and the warning is silenced here and nowhere else.
"""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.builders import (
        common,
        dashboard,
        logs,
        loki,
        prometheus,
        stat,
        table,
        tempo,
        text,
        timeseries,
    )
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import prometheus as prometheus_models
from grafana_foundation_sdk.models import tempo as tempo_models
from grafana_foundation_sdk.models import text as text_models

__all__ = [
    "Builder",
    "JSONEncoder",
    "common",
    "common_models",
    "dashboard",
    "logs",
    "loki",
    "models",
    "prometheus",
    "prometheus_models",
    "stat",
    "table",
    "tempo",
    "tempo_models",
    "text",
    "text_models",
    "timeseries",
]

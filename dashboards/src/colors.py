"""Colours of lines: the same queue has the same colour on every graph, and none of them is red.

Red and orange mean trouble (levels.py). Other queues take Grafana's palette by name, which is stable too.
"""

QUEUE_COLORS = {
    "playwright-global": "blue",
    "k6-global": "purple",
    "k6-local": "light-purple",
    "monitor-local": "green",
    "job-scheduler": "yellow",
    "k6-job-scheduler": "light-yellow",
    "monitor-scheduler": "light-green",
    "email-template-render": "light-blue",
    "data-lifecycle-cleanup": "#9fa7b3",
}

STATE_COLORS = {
    "waiting": "blue",
    "prioritized": "purple",
    "active": "green",
    "delayed": "#9fa7b3",
    "paused": "orange",
    "waiting_children": "light-blue",
}

COLLECTOR_COLORS = {"queues": "blue", "queue_events": "purple", "workers": "green", "redis": "yellow"}

JOB_COLORS = {"supercheck-exporter": "blue", "prometheus": "purple", "alertmanager": "green"}
CHANNEL_COLORS = {
    "pagerduty": "green",
    "slack": "purple",
    "email": "blue",
    "webhook": "#9fa7b3",
    "telegram": "light-blue",
    "discord": "light-purple",
}

# Series that mean one thing wherever they are drawn.
IN = "blue"
OUT = "green"
LIMIT = "#9fa7b3"
SLOW = "purple"
WHOLE = "text"
TROUBLE = "red"
WARNING = "orange"

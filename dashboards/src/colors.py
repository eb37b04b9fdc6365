"""Colours of lines: the same queue has the same colour on every graph, and none of them is red.

Red and orange mean trouble (levels.py). Other queues take Grafana's palette by name, which is stable too.
"""

FAMILY_COLORS = {
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

# Series that mean one thing wherever they are drawn.
IN = "blue"
OUT = "green"
LIMIT = "#9fa7b3"
SLOW = "purple"
SLOWEST = "light-purple"
TROUBLE = "red"
WARNING = "orange"

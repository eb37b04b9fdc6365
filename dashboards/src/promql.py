"""Small pieces of PromQL that several panels share."""

# How many queues a graph draws. More lines than this can't be told apart, and 500 would hide the one that matters.
TOP = 10
FEW = 5  # in a narrow panel
# How many queues a table lists, the worst first.
TABLE_ROWS = 50

QUEUE = 'queue=~"$queue"'
LOCATION = 'location=~"$location"'
DATABASE = 'database=~"$database"'
EXPORTER = 'job="supercheck-exporter"'
FIRING = 'alertstate="firing"'
PAGES_OR_TICKETS = 'severity=~"critical|warning"'


def select(metric: str, matchers: str = QUEUE) -> str:
    """Return a selector of the queues (or locations) that the dashboard's variable picks."""
    return f"{metric}{{{matchers}}}" if matchers else metric


def each(metric: str, matchers: str = QUEUE, by: str = "queue") -> str:
    """Return one series a queue: two exporters that watch one Redis must not count twice."""
    return f"max by ({by}) ({select(metric, matchers)})"


def total(metric: str, matchers: str = QUEUE, by: str = "queue") -> str:
    """Return the sum over all queues, each counted once."""
    return f"sum({each(metric, matchers, by)})"


def worst(metric: str, matchers: str = QUEUE, by: str = "queue", *, top: int = TOP, ranked_by: str = "") -> str:
    """Return the `top` queues by their highest value (of `ranked_by`, or of `metric` itself) in the time range.

    The plain `topk(10, x)` picks anew at each step, so that a graph ends with far more lines than ten; the ranking is
    therefore done once, at the end of the range.
    """
    ranking = f"max by ({by}) (max_over_time({select(ranked_by or metric, matchers)}[$__range] @ end()))"
    return f"{each(metric, matchers, by)} and topk({top}, {ranking})"


def in_trouble(matchers: str = QUEUE) -> str:
    """Return the TABLE_ROWS queues that need a look, worst first: most alerts firing, then the longest backlog.

    The value has no meaning but the order: 1e9 an alert, plus the backlog.
    """
    backlog = each("supercheck_queue_backlog_jobs", matchers)
    firing = join(FIRING, PAGES_OR_TICKETS, 'queue!=""', matchers)
    alerts = f"1e9 * count by (queue) ({select('ALERTS', firing)})"
    return f"topk({TABLE_ROWS}, ({alerts} + {backlog}) or {backlog})"


def known(expr: str) -> str:
    """Return the series without NaN, which is what a quantile of nothing is; a legend would show it as a value."""
    return f"({expr}) >= 0"


def join(*matchers: str) -> str:
    """Return label matchers joined by commas, empty ones left out."""
    return ",".join(matcher for matcher in matchers if matcher)


def count_or_zero(counted: str, witness: str) -> str:
    """Return the count of `counted`; 0 only while `witness` has series, and nothing when it has none.

    `or vector(0)` would say "none" even when nobody looks: the zero has to come from something that is known.
    """
    return f"count({counted}) or 0 * count({witness})"

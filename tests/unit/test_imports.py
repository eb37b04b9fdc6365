"""What a site does not need is not loaded: the clients of databases and stores are megabytes each."""

from __future__ import annotations

import subprocess
import sys

CLIENTS = ("psycopg", "boto3", "botocore", "requests")

REDIS_ONLY = f"""
import sys
import supercheck_exporter.cli
from supercheck_exporter.collectors import TABLE, missing
from supercheck_exporter.config import load
from supercheck_exporter.site import Site

settings = load({{"REDIS_HOST": "redis.example.com", "REDIS_PASSWORD": "x"}})
site = Site(settings)
made = [make(site).name for name, (_, make) in TABLE.items() if not missing(name, settings)]
assert {{"queues", "redis", "organization_capacity"}} <= set(made), made
print(*[name for name in {CLIENTS} if name in sys.modules])
"""


def test_a_site_with_redis_alone_loads_no_other_client() -> None:
    done = subprocess.run([sys.executable, "-c", REDIS_ONLY], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("\n", "")


def test_a_site_with_a_database_does() -> None:
    code = "import sys; from supercheck_exporter.config import load; load({'DATABASE_URL': 'postgresql://h/d'})"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; print('psycopg' in sys.modules)"], capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("True\n", "")

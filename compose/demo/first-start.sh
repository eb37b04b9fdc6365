#!/bin/bash
# What PostgreSQL's image runs at the demo's first start: the site's role and tables, and the exporter's role as the manual makes it.
set -eu
sql() { psql -X -q -v ON_ERROR_STOP=1 -U "${POSTGRES_USER:-postgres}" -d supercheck "$@"; }

sql <<'SQL'
CREATE EXTENSION pg_stat_statements;
CREATE ROLE supercheck_app LOGIN;
ALTER DATABASE supercheck OWNER TO supercheck_app;
GRANT ALL ON SCHEMA public TO supercheck_app;
SQL
PGOPTIONS='-c role=supercheck_app' sql -f /demo/supercheck.sql
# a word of chance that nobody needs: the demo's network is trusted
EXPORTER_PASSWORD=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n') sql -f /demo/role.sql

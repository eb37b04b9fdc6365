"""The shapes in which secrets come: what the collector must take out of traces and log lines, and what it must leave.

They are of what Supercheck's app and workers, their libraries and PostgreSQL really write. No value is a real one; some
are put together, so that nobody who looks for secrets in a repository finds them.
"""

from __future__ import annotations

from dataclasses import dataclass

Value = str | list[str]


@dataclass(frozen=True)
class Shape:
    """Under ``key`` (or anywhere, when it is empty) a ``value``, of which nothing may be left of ``secrets``."""

    name: str
    value: Value
    secrets: tuple[str, ...]
    key: str = ""
    keeps: str = ""
    """A part that must still be there."""


# in a sentence: a span's name or attribute, an error, an event, a log line
TEXTS = (
    Shape("name=value", "login failed for password=hunter2-a, retry", ("hunter2-a",), keeps="login failed"),
    Shape("json", '{"user":7,"password":"hunter2 b","ok":false}', ("hunter2 b", "hunter2"), keeps='"ok":false'),
    Shape("json in json", r"body {\"apiKey\":\"hunter2-c\",\"n\":1}", ("hunter2-c",), keeps='n\\":1'),
    Shape("an environment", "STRIPE_SECRET_KEY=hunter2-d REDIS_PASSWORD='hunter2 e' PORT=3000", ("hunter2",)),
    Shape("camel case", "clientSecret: hunter2-f, accessToken: hunter2-g", ("hunter2-f", "hunter2-g")),
    Shape(
        "query string", "GET /api/runs?who=ada&code=s3cr3t-a HTTP/1.1", ("s3cr3t-a", "who=ada"), keeps="GET /api/runs"
    ),
    Shape(
        "presigned address", "PUT http://minio:9000/b/k?X-Amz-Signature=s3cr3tb0", ("s3cr3tb0",), keeps="minio:9000/b/k"
    ),
    Shape("fragment", "https://app/cb#access_token=s3cr3t-c&state=1", ("s3cr3t-c",), keeps="https://app/cb"),
    Shape("database address", "connect postgresql://app:s3cr3t-d" + "@db:5432/app", ("s3cr3t-d",), keeps="db:5432/app"),
    Shape("redis address", "rediss://:s3cr3t-e" + "@redis:6379", ("s3cr3t-e",), keeps="redis:6379"),
    Shape("bearer", "authorization: Bearer s3cr3t.f~g/h+i=", ("s3cr3t",)),
    Shape("bearer alone", "sent Bearer s3cr3tghijklmnop1234 to us", ("s3cr3tghijklmnop1234",), keeps="to us"),
    Shape("basic", "curl -H 'Authorization: Basic YWRhOmh1bnRlcjI='", ("YWRhOmh1bnRlcjI",)),
    Shape(
        "json web token",
        "got eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl here",
        ("eyJ", "c2ln"),
        keeps="here",
    ),
    Shape("json web token, cut", "jwt eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOi", ("eyJ",)),
    Shape("cookies", "Cookie: theme=dark; better-auth.session_token=s3cr3t-h.sig", ("s3cr3t-h", "dark")),
    Shape("set-cookie", '"set-cookie":["a=s3cr3t-i; Path=/"],"etag":1', ("s3cr3t-i",)),
    Shape("session", "sessionId=s3cr3t-j csrfToken: s3cr3t-k", ("s3cr3t",)),
    Shape("supercheck's cli", "token sck_live_0a1b2c3d4e5f6a7b8c9d", ("0a1b2c3d4e5f",)),
    Shape("stripe", "using sk_live_0FAKEfake0FAKEfake", ("0FAKE",)),
    Shape("github", "clone with gh" + "p_0FAKEfake0FAKEfake0FAKEfake0FAKEfake", ("0FAKE",)),
    Shape("aws", "key AK" + "IA0FAKE0FAKE0FAKE0, AWS_SECRET_ACCESS_KEY=fa/ke+fake", ("0FAKE", "fa/ke")),
    Shape("slack", "posting as xo" + "xb-000000000000-fakefakefake", ("fakefake",)),
    Shape("google", "key is AIzaFAKEFAKEFAKEFAKEFAKEFAKEFAKEFAKEFAKE", ("FAKEFAKE",)),
    Shape("vault", "X-Vault: hvs.FAKEfakeFAKEfakeFAKE", ("FAKEfake",)),
    Shape(
        "private key",
        "load -----BEGIN RSA PRIVATE " + "KEY-----\nMIIfake\nfake==\n-----END RSA PRIVATE KEY----- done",
        ("MIIfake", "fake=="),
        keeps="done",
    ),
    Shape("project secret", "value enc:v1:ZmFrZWZha2VmYWtl", ("ZmFrZ",)),
    Shape("e-mail", "invited ada.lovelace+x@example.co.uk to org 7", ("ada", "lovelace", "example"), keeps="to org 7"),
    Shape("e-mail in a path", "DELETE /api/members/ada%40example.com", ("ada", "example.com"), keeps="/api/members/"),
    Shape("values of a query", "Failed query: insert into t values ($1)\nparams: hunter2-l,7", ("hunter2-l",)),
    Shape("postgresql's detail", "Key (email)=(ada lovelace) already exists.", ("ada",), keeps="already exists"),
)

# named as what they are
KEYED = (
    Shape("header of authorization", ["Bearer s3cr3t-m"], ("s3cr3t",), key="http.request.header.authorization"),
    Shape("header of cookies", ["a=s3cr3t-n; b=c"], ("s3cr3t",), key="http.request.header.cookie"),
    Shape("header of set-cookie", ["a=s3cr3t-o"], ("s3cr3t",), key="http.response.header.set_cookie"),
    Shape("a list with one inside", ["run", "token=s3cr3t-p"], ("s3cr3t",), key="process.command_args"),
    Shape("a password", "hunter2-q", ("hunter2",), key="user.password"),
    Shape("an address", "http://app/x?y=s3cr3t-r", ("s3cr3t", "y="), key="url.full", keeps="http://app/x"),
)

# SQL, in the attribute that has the statement
SQL = "db.query.text"
STATEMENTS = (
    Shape("quoted", "select 1 from t where word = 'hunter2 a'", ("hunter2",), SQL, "where word ="),
    Shape(
        "quote in a quote", "insert into t values ('o''hara', E'hunter\\'2')", ("hara", "hunter"), SQL, "insert into t"
    ),
    Shape("dollars", "select $tag$hunter2 b$tag$, $$hunter2 c$$ from t where a = $1", ("hunter2",), SQL, "a = $1"),
    Shape("cut off", "update t set word = 'hunter2 d", ("hunter2",), SQL, "update t set word ="),
    Shape(
        "numbers",
        "select c1 from t2 where id = 4242 and x > -42.5e3 and y in (4242,4243)",
        ("42",),
        SQL,
        "select c1 from t2",
    ),
)

# what looks a little like one of them, and says something
LEFT = (
    "GET /api/runs/{id}",
    "password changed, secretary informed, tokens used by the model",
    "Bearer authentication is required",
    "at next@15.1.0 and react@19.0.0 in node_modules/.pnpm/next@15.1.0/x.js:10:5",
    "select who from visits where id = $1 and what = ?",
    "trace 4bf92f3577b34da6a3ce929d0e0e4736 of 10.0.0.7:5432 at 2026-11-24T17:00:00.000Z",
    "Worker.run playwright-global took 12.5 s (2 of 3)",
    "why? because a = b",
)

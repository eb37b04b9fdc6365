"""Serve the built preview, the checked-in dashboards, and a read-only way to one Prometheus.

    python dashboards/preview/serve.py --prometheus http://127.0.0.1:9090 --listen 127.0.0.1:3001

Standard library only. `/` and `/d/<uid>` are the page, `/dashboards/<uid>.json` the dashboards, `/prometheus/...` goes
to the Prometheus (GET only, so nothing can be changed through it), `/config.json` lists the dashboards and carries the
values of `--var` (`--var public_url=http://127.0.0.1:9820` tells the links to runbooks where the exporter is).
"""

import argparse
import json
import mimetypes
import sys
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
TIMEOUT_SECONDS = 30
FORWARDED = ("Content-Type", "Content-Encoding")


def dashboards_in(folders: list[Path]) -> dict[str, Path]:
    """Return uid -> file of every dashboard in the folders. Files without uid and panels are passed over."""
    found: dict[str, Path] = {}
    for file in (file for folder in folders for file in sorted(folder.glob("*.json"))):
        content = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(content, dict) and "uid" in content and "panels" in content:
            found[content["uid"]] = file
    return found


class Handler(BaseHTTPRequestHandler):
    """One request. What to serve is set on a subclass by `make_server`."""

    protocol_version = "HTTP/1.1"
    dist: Path
    folders: list[Path]
    prometheus: str
    variables: dict[str, str]

    def do_GET(self) -> None:
        """Answer a GET."""
        path = urlsplit(self.path).path
        if path.startswith("/prometheus/api/v1/"):
            self._forward(self.path.removeprefix("/prometheus"))
        elif path == "/config.json":
            self._json(self._config())
        elif path.startswith("/dashboards/"):
            file = dashboards_in(self.folders).get(path.removeprefix("/dashboards/").removesuffix(".json"))
            self._file(file)
        elif path == "/" or path.startswith("/d/"):
            self._file(self.dist / "index.html")
        else:
            file = (self.dist / path.lstrip("/")).resolve()
            self._file(file if file.is_relative_to(self.dist) else None)

    def _config(self) -> dict[str, object]:
        found = (json.loads(file.read_text(encoding="utf-8")) for file in dashboards_in(self.folders).values())
        listed = [{key: content.get(key) for key in ("uid", "title", "description", "tags")} for content in found]
        return {"dashboards": listed, "variables": self.variables}

    def _forward(self, target: str) -> None:
        try:
            with urllib.request.urlopen(self.prometheus + target, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
                self._send(answer.status, answer.read(), {k: v for k, v in answer.headers.items() if k in FORWARDED})
        except urllib.error.HTTPError as error:
            self._send(error.code, error.read(), {"Content-Type": error.headers.get("Content-Type", "text/plain")})
        except OSError as error:
            message = f"Prometheus at {self.prometheus} does not answer: {error}"
            self._json({"status": "error", "error": message}, 502)

    def _json(self, content: object, status: int = 200) -> None:
        self._send(status, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _file(self, file: Path | None) -> None:
        if file is None or not file.is_file():
            self._send(404, b"not found\n", {"Content-Type": "text/plain"})
            return
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        self._send(200, file.read_bytes(), {"Content-Type": kind})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body)), "Cache-Control": "no-cache"}.items():
            self.send_header(name, value)
        self.end_headers()
        # A browser that left the page has closed its end; that is no fault of ours.
        try:
            self.wfile.write(body)
        except ConnectionError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a dashboard asks many times a minute."""


def make_server(
    listen: tuple[str, int],
    prometheus: str,
    *,
    folders: list[Path] | None = None,
    dist: Path = HERE / "dist",
    variables: dict[str, str] | None = None,
) -> ThreadingHTTPServer:
    """Return a bound server that is not started yet. FileNotFoundError when the preview is not built."""
    if not (dist / "index.html").is_file():
        raise FileNotFoundError(f"{dist} has no build: run `npm ci` and `npm run build` in {HERE}")
    settings = {
        "dist": dist.resolve(),
        "folders": folders or [HERE.parent],
        "prometheus": prometheus.rstrip("/"),
        "variables": variables or {},
    }
    server = ThreadingHTTPServer(listen, type("Configured", (Handler,), settings))
    server.daemon_threads = True
    return server


def main() -> int:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="Preview of the dashboards, without Grafana.")
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090", help="address of the Prometheus")
    parser.add_argument("--listen", default="127.0.0.1:3001", help="address:port of this server")
    parser.add_argument("--dashboards", type=Path, action="append", help="folder of dashboards (default: ours)")
    parser.add_argument("--var", action="append", default=[], metavar="NAME=VALUE", help="a variable's default")
    options = parser.parse_args()
    host, _, port = options.listen.rpartition(":")
    variables = dict(pair.split("=", 1) for pair in options.var)
    try:
        server = make_server((host, int(port)), options.prometheus, folders=options.dashboards, variables=variables)
    except FileNotFoundError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"preview of the dashboards: http://{host}:{server.server_address[1]}/\n")
    sys.stdout.flush()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

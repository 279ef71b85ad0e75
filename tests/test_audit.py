"""The audit of the pinned packages: what is known fails it, and what cannot be looked up is told."""

import importlib.util
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / ".ci" / "audit.py"


@pytest.fixture(scope="module")
def audit():
    spec = importlib.util.spec_from_file_location("audit", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["audit"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["audit"]


def told(*packages):
    return {"dependencies": list(packages)}


SKIPPED = {"name": "a", "skip_reason": "not found"}
CLEAN = {"name": "a", "version": "1", "vulns": []}
BAD = {"name": "b", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}


def test_where_nothing_can_be_looked_up_it_says_so_and_ends_well(audit):
    result = audit.Audit()
    result.add("pypi", told(SKIPPED), "")
    result.add("osv", None, "no such host")
    (line,), code = result.verdict()
    assert code == 0
    assert line == (
        "audit: nothing could be looked up: pypi knows none of them; osv cannot be asked (no such host); "
        "going on without"
    )


def test_what_is_known_fails_and_is_told_once(audit):
    result = audit.Audit()
    result.add("pypi", told(SKIPPED, BAD), "")
    result.add("osv", told(CLEAN, BAD), "")
    lines, code = result.verdict()
    assert code == 1
    assert lines[0] == "audit: b 1: PYSEC-1, mended in 2"
    assert lines[1] == "audit: packages looked up: 2; vulnerabilities: 1"
    assert len(lines) == 3


def test_packages_that_no_service_knows_are_named(audit):
    result = audit.Audit()
    result.add("pypi", told({"name": "c", "version": "1", "vulns": []}, SKIPPED), "")
    lines, code = result.verdict()
    assert (code, lines[0]) == (0, "audit: packages looked up: 1; vulnerabilities: 0")
    assert lines[1].endswith("no service knows them: a")


class _Service(BaseHTTPRequestHandler):
    """Knows one vulnerability, of jinja2, as osv.dev answers."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        name = asked["package"]["name"]
        affected = {
            "package": {"name": name, "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.11"}]}],
        }
        known = {"vulns": [{"id": "GHSA-x", "affected": [affected]}]} if name == "jinja2" else {}
        body = json.dumps(known).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def service():
    server = HTTPServer(("127.0.0.1", 0), _Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/query"
    server.shutdown()
    server.server_close()


def test_pip_audit_is_read_as_it_answers(audit, service, tmp_path):
    pytest.importorskip("pip_audit")
    pins = tmp_path / "pins.txt"
    pins.write_text("# pinned\njinja2==2.10\ntyper==0.15.0\n")
    lines, code = audit.audit(pins, ["--osv-url", service], ["osv"]).verdict()
    assert (lines[0], code) == ("audit: jinja2 2.10: GHSA-x, mended in 2.11", 1)
    assert lines[1] == "audit: packages looked up: 2; vulnerabilities: 1"
    gone = "http://127.0.0.1:9/v1/query"  # nobody answers there
    lines, code = audit.audit(pins, ["--osv-url", gone], ["osv"]).verdict()
    assert (len(lines), code) == (1, 0)
    assert "osv cannot be asked (" in lines[0]

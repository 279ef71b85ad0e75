"""Looks every pinned package up among known vulnerabilities, by what pip-audit can reach.

usage: python .ci/audit.py [options of pip-audit, such as --ignore-vuln ID]

Exits with 1 where one is known. Where no service can be reached, or none knows a package, it says so and ends
well: a machine without a network can lint, too.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PINS = Path(__file__).parent.parent / "constraints.txt"
SERVICES = ("pypi", "osv")
SECONDS = 300  # for each service
_SHOWN = 10


@dataclass
class Audit:
    """What is known so far.  known: a line for each vulnerability.  unread: why a service told nothing."""

    packages: set[str] = field(default_factory=set)
    looked_up: set[str] = field(default_factory=set)
    known: dict[str, str] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)

    def add(self, service: str, told: dict[str, Any] | None, why: str) -> None:
        """What a service told as pip-audit's JSON; None where it could not be asked, and why."""
        if told is None:
            self.unread.append(f"{service} cannot be asked ({why})")
            return
        n_before = len(self.looked_up)
        for package in told["dependencies"]:
            self.packages.add(package["name"])
            if "skip_reason" in package:
                continue
            self.looked_up.add(package["name"])
            for each in package["vulns"]:
                cure = " or ".join(each["fix_versions"]) or "none yet"
                line = f"{package['name']} {package['version']}: {each['id']}, mended in {cure}"
                self.known.setdefault(f"{package['name']} {each['id']}", line)
        if len(self.looked_up) == n_before:
            self.unread.append(f"{service} knows none of them")

    def verdict(self) -> tuple[list[str], int]:
        """Lines for a person, and the exit code."""
        left = sorted(self.packages - self.looked_up)
        if not self.looked_up:
            return [f"audit: nothing could be looked up: {'; '.join(self.unread)}; going on without"], 0
        lines = [f"audit: {line}" for line in self.known.values()]
        lines.append(
            f"audit: packages looked up: {len(self.looked_up):,}; vulnerabilities: {len(self.known):,}"
        )
        if left:
            more = f" and {len(left) - _SHOWN:,} more" if len(left) > _SHOWN else ""
            lines.append(f"audit: not looked up, as no service knows them: {', '.join(left[:_SHOWN])}{more}")
        if self.known:
            lines.append("audit: raise the pins in constraints.txt, or pass --ignore-vuln ID with a reason")
        return lines, int(bool(self.known))


def audit(pins: Path, options: Sequence[str] = (), services: Iterable[str] = SERVICES) -> Audit:
    """Of the pinned packages, by one service after the other until all are looked up."""
    result = Audit()
    for service in services:
        result.add(service, *_asked(pins, service, options))
        if result.packages and result.looked_up == result.packages:
            break
    return result


def _asked(pins: Path, service: str, options: Sequence[str]) -> tuple[dict[str, Any] | None, str]:
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "--format",
        "json",
        "--progress-spinner",
        "off",
        "--desc",
        "off",
    ]
    command += ["--requirement", str(pins), "--no-deps", "--disable-pip", "--vulnerability-service", service]
    try:
        done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return None, f"no answer in {SECONDS} s"
    try:
        told = json.loads(done.stdout)
    except ValueError:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        return None, lines[-1][:120]
    return told, ""


def main() -> None:
    """Look the pins up, tell, and exit."""
    if subprocess.run([sys.executable, "-c", "import pip_audit"], capture_output=True).returncode:
        sys.exit("audit: pip-audit is not installed: pip install --editable '.[dev]'")
    lines, code = audit(PINS, sys.argv[1:]).verdict()
    print("\n".join(lines))
    sys.exit(code)


if __name__ == "__main__":
    main()

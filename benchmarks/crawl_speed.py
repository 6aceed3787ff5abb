"""How fast does fetch.py take a site, beside `wget -r` and without pauses? Does its memory grow with the site?

    .venv/bin/python benchmarks/crawl_speed.py    prints two tables, writes benchmarks/crawl_speed.json; wants wget

The site runs in a process of its own on loopback, on 8 addresses: an index, pages of 100 links, files of 3 KB. Both
take all of it, in turn, RUNS times: once with immediate answers, once with answers that take as long as those of a near
host on the web. wget asks one host after another, over one connection; fetch.py has one connection to each host, and
asks several hosts at the same time.
"""

import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOSTS = 8
RUNS = 3
FILES = 2000
LATENCIES = (0.0, 0.02)  # seconds before an answer
SIZES = (1000, 20_000)  # files, for the memory
A_PAGE = 100  # links
SONG = b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk\0\0\x0b\xb8" + b"\0\xff\1\x80\x01" * 599 + b"\0\0\xff\x2f\0"


def serve(files: int, latency: float) -> None:
    """Serve a site of so many files until the standard input ends; write its port first."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_GET(self):
            time.sleep(latency)
            body, pages = b"", files // HOSTS // A_PAGE or 1
            if self.path == "/":
                body = "".join(f'<p><a href="{page}.html">page {page}</a></p>' for page in range(pages)).encode()
            elif self.path.endswith(".html"):
                name = self.path[1:-5]
                body = "".join(f'<li><a href="{name}/{n}.mid">song {n}</a></li>' for n in range(A_PAGE)).encode()
            elif self.path.endswith(".mid"):
                name = f"{self.server.server_address[0]}{self.path}".encode()
                body = SONG[:40] + name.ljust(60, b" ") + SONG[100:]
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "audio/midi" if self.path.endswith(".mid") else "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    port = 0
    for number in range(1, HOSTS + 1):
        server = ThreadingHTTPServer((f"127.0.0.{number}", port), Handler)
        port = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print(port, flush=True)
    sys.stdin.read()


def taken(command: list[str], folder: Path) -> tuple[float, float]:
    """Run a command in a folder; return its seconds, and the most memory it held in MiB."""
    begin = time.perf_counter()
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        _, _, usage = os.wait4(run.pid, 0)
        run.returncode = 0
    return time.perf_counter() - begin, usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def measure(name: str, files: int, latency: float) -> tuple[float, float]:
    """Take a fresh site with one of the two; return files a second, and MiB."""
    command = [sys.executable, str(Path(__file__).resolve()), "--serve", str(files), str(latency)]
    with (subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, text=True) as site,
          tempfile.TemporaryDirectory() as folder):
        port = site.stdout.readline().strip()
        urls = [f"http://127.0.0.{number}:{port}/" for number in range(1, HOSTS + 1)]
        fetch = [sys.executable, str(ROOT / "fetch.py"), *urls, "--depth", "1", "--pause", "0", "--allow-private-hosts",
                 "--hosts", str(HOSTS), "--output", "midi"]
        commands = {"fetch.py": fetch, "wget -r -l 2": ["wget", "-q", "-r", "-l", "2", *urls]}
        seconds, memory = taken(commands[name], Path(folder))
        found = sum(1 for _ in Path(folder).rglob("*.mid"))
        site.stdin.close()
    wanted = (files // HOSTS // A_PAGE or 1) * A_PAGE * HOSTS
    if found != wanted:
        raise SystemExit(f"{name} took {found} files, wanted {wanted}")
    return found / seconds, memory


def main() -> None:
    """Measure both in turn, so that a drift of the machine's speed meets both."""
    if sys.argv[1:2] == ["--serve"]:
        serve(int(sys.argv[2]), float(sys.argv[3]))
        return
    if not shutil.which("wget"):
        raise SystemExit("wget is missing: apt-get install wget")
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    result = {"files": FILES, "hosts": HOSTS, "python": platform.python_version(), "machine": platform.machine(),
              "files a second": {}, "MiB": {}}
    print("| files a second | wget -r -l 2 | fetch.py | fetch.py over wget |\n| --- | --: | --: | --: |")
    for latency in LATENCIES:
        rates = {"wget -r -l 2": [], "fetch.py": []}
        for _ in range(RUNS):
            for name, values in rates.items():
                values.append(round(measure(name, FILES, latency)[0], 1))
        result["files a second"][f"{latency * 1000:g} ms"] = rates
        wget, fetch = (statistics.median(values) for values in rates.values())
        print(f"| {latency * 1000:g} ms an answer | {wget:,.0f} | {fetch:,.0f} | {fetch / wget:.2f} |")
    print("\n| files | MiB at most |\n| --: | --: |")
    for files in SIZES:
        result["MiB"][str(files)] = round(measure("fetch.py", files, 0.0)[1], 1)
        print(f"| {files:,} | {result['MiB'][str(files)]:.0f} |")
    (ROOT / "benchmarks" / "crawl_speed.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

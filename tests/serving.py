"""A small HTTP server for tests, with the faults of real ones: versions, ranges, drops, stalls, wrong lengths."""

import hashlib
import json
import re
import threading
import time
from contextlib import contextmanager
from datetime import date, timedelta
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

STALL = 0.8  # seconds; longer than the silence that tests put up with
POWER_UNITS = {"T2M": "C", "RH2M": "%", "WS2M": "m/s", "PRECTOTCORR": "mm/day", "ALLSKY_SFC_SW_DWN": "MJ/m^2/day",
               "ALLSKY_SFC_LW_DWN": "MJ/m^2/day"}


def year_of(station, year, wban="99999", lat=40.0, lon=-100.0, days=None):
    """The text of a USCRN daily01 file with made up numbers that differ from day to day."""
    first, lines = date(year, 1, 1), []
    for k in range(days or (date(year + 1, 1, 1) - first).days):
        wave = (k * 7919 % 365) / 365
        soil = "".join(f"{0.1 + 0.2 * wave + 0.02 * d:8.3f}" for d in range(5))
        warm = "".join(f"{10 + 5 * wave + d:8.1f}" for d in range(5))
        lines.append(f"{wban} {first + timedelta(k):%Y%m%d}  2.622 {lon:8.2f} {lat:7.2f} {20 + wave:7.1f} {wave:7.1f} "
                     f"{10 + wave:7.1f} {10 + wave:7.1f} {5 * wave:7.1f} {10 * wave:8.2f} C {20 + wave:7.1f} "
                     f"{wave:7.1f} {10 + wave:7.1f} {90 + wave:7.1f} {50 + wave:7.1f} {70 + wave:7.1f}{soil}{warm}\n")
    return "".join(lines).encode()


def power_of(query):
    """What NASA POWER answers to a query, as JSON, with made up numbers."""
    one = {key: values[0] for key, values in query.items()}
    first, last = (date.fromisoformat(f"{text[:4]}-{text[4:6]}-{text[6:]}") for text in (one["start"], one["end"]))
    days = [f"{first + timedelta(k):%Y%m%d}" for k in range((last - first).days + 1)]
    names = one["parameters"].split(",")
    level = {"T2M": 10, "RH2M": 60, "ALLSKY_SFC_SW_DWN": 15, "ALLSKY_SFC_LW_DWN": 27}
    content = {"type": "Feature",
               "geometry": {"type": "Point", "coordinates": [float(one["longitude"]), float(one["latitude"]), 300.0]},
               "properties": {"parameter": {name: {day: level.get(name, 2) + k % 7 / 10 for k, day in enumerate(days)}
                                            for name in names}},
               "header": {"title": "NASA/POWER", "fill_value": -999.0, "time_standard": one["time-standard"],
                          "start": one["start"], "end": one["end"]},
               "parameters": {name: {"units": POWER_UNITS[name], "longname": name} for name in names}}
    return json.dumps(content).encode()


class Server:
    """Files by path, faults by path (one is used up by each GET), and a log of what was asked.

    Attributes
    ----------
    files : dict of path to bytes, or to a function of the query that gives them
    faults : dict of path to list of names of faults; ``"*"`` for any path
    released : event that ends what hangs
    log : list of (method, path, Range or None, status, bytes of the body that were sent)
    most : how many slow answers were under way at once
    agents : what called itself what
    """

    def __init__(self):
        self.files, self.dates, self.faults, self.log = {}, {}, {}, []
        self.lock, self.released = threading.Lock(), threading.Event()
        self.url, self.busy, self.most, self.agents = "", 0, 0, set()

    def put(self, path, body, day=0):
        self.files[path], self.dates[path] = body, formatdate(1.6e9 + 86400 * day, usegmt=True)

    def bodies(self):
        """How many bytes of each path were sent."""
        sent = {}
        for method, path, _, _, size in self.log:
            if method == "GET" and size:
                sent[path] = sent.get(path, 0) + size
        return sent

    def asked(self, method="GET"):
        return [path for m, path, *_ in self.log if m == method]


@contextmanager
def serving(server):
    """Run `server` on a free port of this machine."""
    class Handler(_Handler):
        site = server

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        httpd.daemon_threads = True
        server.url = f"http://127.0.0.1:{httpd.server_port}"
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            httpd.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.answer("HEAD", None)

    def do_GET(self):
        with self.site.lock:
            waiting = self.site.faults.get(urlsplit(self.path).path) or self.site.faults.get("*")
            fault = waiting.pop(0) if waiting else None
            self.site.agents.add(self.headers.get("User-Agent"))
        self.answer("GET", fault)

    def answer(self, method, fault):
        site, parts = self.site, urlsplit(self.path)
        path, span = parts.path, self.headers.get("Range")
        held = site.files.get(path)
        if fault and fault.isdigit() or held is None:
            return self.send(method, path, span, int(fault or 404), b"", {"Retry-After": "0"} if fault == "429" else {})
        if fault == "429 later":
            return self.send(method, path, span, 429, b"", {"Retry-After": "1"})
        if fault == "page":
            return self.send(method, path, span, 200, b"<html>Please log in</html>", {"Content-Type": "text/html"})
        body = held(parse_qs(parts.query)) if callable(held) else held
        headers = {} if callable(held) else {"Last-Modified": site.dates[path],
                                             "ETag": f'"{hashlib.md5(body).hexdigest()}"'}
        if fault == "weak":
            headers["ETag"] = "W/" + headers["ETag"]
        if self.headers.get("If-None-Match") == headers.get("ETag", "none"):
            return self.send(method, path, span, 304, b"", headers)
        status, found = 200, re.fullmatch(r"bytes=(\d+)-", span or "")
        if found and fault != "no ranges" and self.headers.get("If-Range") in headers.values():
            start = int(found[1])
            if start >= len(body):
                return self.send(method, path, span, 416, b"", {"Content-Range": f"bytes */{len(body)}"})
            headers["Content-Range"], status = f"bytes {start}-{len(body) - 1}/{len(body)}", 206
            body = body[start:]
        self.send(method, path, span, status, body, headers, fault)
        if fault == "change":  # half of the old was sent; the new is of the same length
            site.put(path, held.replace(b"2.622", b"2.623"), 1)

    def send(self, method, path, span, status, body, headers, fault=None):
        half, length = len(body) // 2, len(body)
        sent = body if method == "GET" else b""
        if fault in ("drop", "change", "cut length", "stall", "hang", "no length", "long length"):
            sent = sent[:half + 37]  # in the middle of a line
        length = {"cut length": len(sent), "long length": length + 1000}.get(fault, length)
        self.site.log.append((method, path, span, status, len(sent)))
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        if fault == "chunks":
            self.send_header("Transfer-Encoding", "chunked")
        elif fault != "no length" and status != 304:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        try:
            if fault == "slow":
                self.crawl(sent)
            elif fault == "chunks":
                self.wfile.write(b"%x\r\n%s\r\n" % (half, sent[:half]))  # and then nothing: not even the last chunk
            else:
                self.wfile.write(sent)
            if fault == "stall":
                self.wfile.flush()
                time.sleep(STALL)
            if fault == "hang":
                self.wfile.flush()
                self.site.released.wait(60)
        except OSError:  # whoever asked has gone
            pass
        self.close_connection = fault is not None

    def crawl(self, sent):
        site, step = self.site, len(sent) // 5 + 1
        with site.lock:
            site.busy += 1
            site.most = max(site.most, site.busy)
        for k in range(0, len(sent), step):
            time.sleep(0.03)
            if k + step >= len(sent):  # with the last piece the client may ask for the next file
                with site.lock:
                    site.busy -= 1
            self.wfile.write(sent[k:k + step])

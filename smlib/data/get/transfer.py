"""One body over HTTP: whole and of one version, or an exception; what came of a broken one is gone on with."""

import email.utils
import json
import os
import re
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime

import requests

from smlib import __version__
from smlib.data.schema import DataError

PASSING = (408, 425, 429, 500, 502, 503, 504)
CHUNK = 2**13  # bytes: less than that is lost of what came before a connection broke


class Again(Exception):
    """What may succeed when tried again; after `wait` seconds if the server said so."""

    def __init__(self, reason, wait=None):
        super().__init__(reason)
        self.wait = wait


class Absent(Exception):
    """The server has no such file."""


class Unwritable(DataError):
    """This machine cannot take the file, so no other has to be tried."""


class Transfer:
    """Requests of one run of downloads, by all its threads.

    Attributes
    ----------
    timeout : (float, float), seconds to connect and of silence
    quiet_until : monotonic time before which nothing is asked, for a server wanted it so
    stop : threading.Event, which ends what is under way
    """

    def __init__(self, timeout):
        self.timeout, self.quiet_until, self.stop = timeout, 0.0, threading.Event()
        self.session = requests.Session()
        self.session.auth = lambda request: request  # none: or requests would look into ~/.netrc
        # Bytes as they are in the file, so that a broken download can go on in the middle.
        self.session.headers.update({"Accept-Encoding": "identity",
                                     "User-Agent": f"smlib/{__version__} {requests.utils.default_user_agent()}"})

    def get(self, url, out, part, of):
        """Get `url` into the file `out`, going on with `part` if `of` says that it is of the version still there.

        Raises
        ------
        Again, Absent, Unwritable, OSError
            The last where `requests` raises one of its own. What came, if anything, stays in `part`.
        DataError
            For an answer that will not change.
        """
        before = read_json(of)
        have = part.stat().st_size if part.exists() else 0
        resume = have and before.get("url") == url and before.get("validator")
        headers = {"Range": f"bytes={have}-", "If-Range": before["validator"]} if resume else {}
        self.stop.wait(max(0.0, self.quiet_until - time.monotonic()))
        with self.session.get(url, headers=headers, stream=True, timeout=self.timeout) as answer:
            if resume and answer.status_code in (206, 416):
                total, whole = before["bytes"], _fits(answer, have, before, part)
            else:
                total, whole = _begin(answer, url, part, of), False
            if not whole:
                self._write(answer, part)
            size = part.stat().st_size
            if total is not None and size != total:
                part.unlink()
                raise Again(f"{size} bytes came where {total} were announced")
        os.replace(part, out)

    def changed(self, url, known):
        """Whether the server has another version than `known` (etag, last_modified, bytes)."""
        asked = {"If-None-Match": known["etag"], "If-Modified-Since": known["last_modified"]}
        with self.session.head(url, headers={k: v for k, v in asked.items() if v}, timeout=self.timeout,
                               allow_redirects=True) as answer:
            if answer.status_code != 200:  # 304; or no answer to such a question, which is no reason to fetch
                return False
            theirs = answer.headers
        if known["etag"] and "ETag" in theirs:
            return theirs["ETag"].removeprefix("W/") != known["etag"].removeprefix("W/")
        if known["last_modified"] and "Last-Modified" in theirs and theirs["Last-Modified"] != known["last_modified"]:
            return True
        return theirs.get("Content-Length", str(known["bytes"])) != str(known["bytes"])

    def _write(self, answer, part):
        with _written(part), open(part, "ab") as stream:
            for chunk in _chunks(answer):
                if self.stop.is_set():
                    raise Again("stopped")
                stream.write(chunk)
                stream.flush()


class _Broken(Exception):
    """Carries an error of the connection past what catches errors of the disk, for both are OSError."""


def _chunks(answer):
    try:
        yield from answer.iter_content(CHUNK)
    except requests.RequestException as error:
        raise _Broken(error) from None


@contextmanager
def _written(file):
    """Errors of the disk as `Unwritable`, those of the connection as they were."""
    try:
        yield
    except _Broken as error:
        raise error.args[0] from None
    except OSError as error:
        raise Unwritable(f"cannot be written ({error.strerror}): make room, and say the same command again",
                         file=file) from None


def _fits(answer, have, before, part):
    """Whether the part is the whole file already; `Again` if the answer is of another version, or of another place."""
    span, theirs = answer.headers.get("Content-Range", ""), validator(answer.headers)
    if answer.status_code == 416 and span == f"bytes */{have}":
        return True
    same = span.startswith(f"bytes {have}-") and (theirs or before["validator"]) == before["validator"]
    if answer.status_code == 416 or not same:
        part.unlink()
        raise Again("the file changed while it came")
    return False


def _begin(answer, url, part, of):
    """The length that a new body is announced with (None if it comes in chunks or compressed)."""
    status, headers = answer.status_code, answer.headers
    if status in (404, 410):
        raise Absent
    if status in PASSING:
        raise Again(f"the server answers {status} {answer.reason}", _retry_after(headers))
    if status != 200:
        words = " ".join(answer.text[:300].split()) if "html" not in headers.get("Content-Type", "") else ""
        raise DataError(f"the server answers {status} {answer.reason} {words}".strip(), file=url)
    if "Content-Length" not in headers and "chunked" not in headers.get("Transfer-Encoding", ""):
        raise Again("the server gives neither a length nor chunks, so that a cut body would look whole")
    plain = headers.get("Content-Encoding", "identity") == "identity"
    length = int(headers["Content-Length"]) if plain and "Content-Length" in headers else None
    part.unlink(missing_ok=True)  # before it is said of which version the next part is
    write_json(of, {"url": url, "bytes": length, "etag": headers.get("ETag"),
                    "last_modified": headers.get("Last-Modified"), "validator": validator(headers) if length else None})
    return length


def validator(headers):
    """What tells one version of a file from another, as If-Range takes it: a strong ETag, or a date; or None."""
    etag = headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else headers.get("Last-Modified")


def _retry_after(headers):
    """Seconds of a Retry-After header, a number or a date, or None."""
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d+", text):
        return float(text)
    try:
        return max(0.0, (email.utils.parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def read_json(file):
    """The dict in a JSON file; empty if there is none, or none that can be read."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_json(file, content):
    """Write a dict, whole or not at all; `Unwritable` if the disk does not take it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(file.name + ".new")
    with _written(file):
        aside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    os.replace(aside, file)

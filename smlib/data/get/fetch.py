"""Files over HTTP: a few connections, retries that wait as long as the server asks, nothing twice.

A file is under its own name only when it is whole and its content was checked. What is under way lies in ``.incoming``:
the body in ``NAME.part``, and in ``NAME.of`` of which version it is, so that another process can go on with it.
``downloads.json`` records address, SHA-256, size and date of every file.
"""

import os
import random
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import requests
from filelock import FileLock, Timeout
from tqdm import tqdm

from smlib.data.catalog import sha256
from smlib.data.get.transfer import Absent, Again, Transfer, Unwritable, read_json, write_json
from smlib.data.schema import DataError
from smlib.data.sources import DOWNLOADS as RECORD

INCOMING, LOCK = ".incoming", ".lock"
LONGEST = 600  # seconds that a server may ask to be left alone; beyond, the user is told
REVISED = 120  # days after which a service that gives no version revises its data no more


@dataclass(frozen=True)
class Item:
    """One file to have.

    Attributes
    ----------
    url : str
    name : where it goes, relative to the folder, with ``/``
    check : called with the path of what came; raises `DataError` if it is not what was asked for
    until : last day of what a service computes on request and gives no version of; None where files have versions
    """

    url: str
    name: str
    check: Callable = lambda path: None
    until: date | None = None


@dataclass
class Report:
    """Names of files fetched, kept since they are the newest, and absent from the server; what could not be asked."""

    fetched: list = field(default_factory=list)
    kept: list = field(default_factory=list)
    absent: list = field(default_factory=list)
    unasked: list = field(default_factory=list)

    def __str__(self):
        text = f"{len(self.fetched)} fetched, {len(self.kept)} there already, {len(self.absent)} not on the server"
        return text + (f", {len(self.unasked)} kept without asking for a newer one, for the server does not answer"
                       if self.unasked else "")


def fetch(items, folder, *, connections=4, attempts=6, pause=1.0, timeout=(10, 60), bar=None):
    """Have every item in `folder`: fetch what is missing or newer, leave the rest.

    Parameters
    ----------
    items : sequence of Item
    connections : int
        At a time.
    attempts : int
        Of each file, one after a drop, timeout, wrong length or passing error of the server.
    pause : float
        Seconds before the second attempt, doubled each time (a minute at most), unless the server names them.
    timeout : (float, float)
        Seconds to connect, and of silence.
    bar : str, optional
        Text of a progress bar.

    Returns
    -------
    Report

    Raises
    ------
    DataError
        If a file could not be had (the others are), the disk is full, or another process is fetching into `folder`.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK, timeout=0):
            return _Fetch(folder, attempts, pause, Transfer(timeout)).all(items, connections, bar)
    except Timeout:
        raise DataError("another process is fetching into it: wait until it has finished", file=folder) from None


class _Fetch:
    def __init__(self, folder, attempts, pause, transfer):
        self.folder, self.attempts, self.pause, self.transfer = folder, attempts, pause, transfer
        self.record, self.lock = read_json(folder / RECORD), threading.Lock()
        self.unreachable, self.report = False, Report()

    def all(self, items, connections, bar):
        for left in (self.folder / INCOMING).glob("**/tmp*"):  # pooch's, of a process that was killed
            left.unlink()
        failed = []
        with (ThreadPoolExecutor(connections) as pool,
              tqdm(total=len(items), desc=bar, unit="file", disable=bar is None) as progress):
            futures = [pool.submit(self.one, item) for item in items]
            try:
                for future in as_completed(futures):
                    error = future.exception()
                    if isinstance(error, Unwritable) or error and not isinstance(error, DataError):
                        raise error
                    failed += [str(error)] if error else []
                    progress.update()
            except BaseException:
                self.transfer.stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        if failed:
            more = f"; and {len(failed) - 3} more" if len(failed) > 3 else ""
            raise DataError(f"{len(failed)} of {len(items)} files could not be had: {'; '.join(sorted(failed)[:3])}"
                            f"{more}. Say the same command again: it goes on where it stopped", file=self.folder)
        if not any(path.is_file() for path in (self.folder / INCOMING).rglob("*")):
            shutil.rmtree(self.folder / INCOMING, ignore_errors=True)
        for names in (self.report.fetched, self.report.kept, self.report.absent, self.report.unasked):
            names.sort()
        return self.report

    def one(self, item):
        """Fetch `item` unless it is there and current."""
        if self.is_current(item):
            return
        target, staged = self.folder / item.name, self.folder / INCOMING / item.name
        of = staged.with_name(staged.name + ".of")
        if staged.exists() and read_json(of).get("url") != item.url:  # of an earlier, other request
            staged.unlink()
        try:
            self.insist(item, staged, of)
        except Absent:
            self.report.absent.append(item.name)
            return
        got = read_json(of)
        # The record first: a record without its file costs nothing, a file without a record would be fetched again.
        with self.lock:
            self.record[item.name] = {
                "url": item.url, "sha256": sha256(staged), "bytes": staged.stat().st_size,
                "fetched": datetime.now(UTC).date().isoformat(),
                "etag": got.get("etag"), "last_modified": got.get("last_modified")}
            write_json(self.folder / RECORD, dict(sorted(self.record.items())))
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(staged, target)
        of.unlink(missing_ok=True)
        self.report.fetched.append(item.name)

    def insist(self, item, staged, of):
        """Have the whole of `item`, checked, as `staged`; as many attempts as it takes and may."""
        import pooch

        pooch.get_logger().setLevel("WARNING")
        part, bad = staged.with_name(staged.name + ".part"), None
        for attempt in range(1, self.attempts + 1):
            try:
                pooch.retrieve(item.url, None, staged.name, staged.parent,
                               downloader=lambda url, out, _: self.transfer.get(url, out, part, of))
            except (Again, requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError,
                    requests.exceptions.ContentDecodingError) as error:
                reason, asked = str(error), getattr(error, "wait", None)
            else:
                try:
                    return item.check(staged)
                except DataError as error:  # whole by its length, and wrong by its content
                    reason, asked, twice = f"{error.variable} {error.rule}".strip(), None, sha256(staged) == bad
                    bad = sha256(staged)
                    staged.unlink()
                    if twice:
                        raise DataError(f"what {item.url} gives is not what was asked for: {reason}",
                                        file=item.name) from None
            if self.transfer.stop.is_set():
                break
            if attempt < self.attempts:
                self.wait(attempt, asked, item)
        raise DataError(f"{item.url} failed {attempt} times, the last time for: {reason}", file=item.name)

    def wait(self, attempt, asked, item):
        """Sleep before the next attempt; what a server asks for holds for all connections."""
        if asked is None:
            self.transfer.stop.wait(min(60.0, self.pause * 2 ** (attempt - 1)) * random.uniform(0.5, 1.0))
        elif asked > LONGEST:
            raise DataError(f"the server asks to be left alone for {asked / 60:.0f} minutes", file=item.name)
        else:
            self.transfer.quiet_until = max(self.transfer.quiet_until, time.monotonic() + asked)

    def is_current(self, item):
        """Whether the file is there as it was recorded, from this address, and the server has no newer one."""
        known, target = self.record.get(item.name), self.folder / item.name
        if not (known and known["url"] == item.url and target.is_file() and target.stat().st_size == known["bytes"]
                and sha256(target) == known["sha256"]):
            return False
        told = self.report.kept
        if item.until is not None:
            settled = min(item.until + timedelta(REVISED), datetime.now(UTC).date())
            newer = date.fromisoformat(known["fetched"]) < settled
        else:
            try:
                newer = not self.unreachable and self.transfer.changed(item.url, known)
            except requests.RequestException:
                self.unreachable, newer = True, False
            told = self.report.unasked if self.unreachable else told
        if not newer:
            told.append(item.name)
        return not newer

"""Downloads against a local server with faults: whole or not there, never twice, the same end whatever came before."""

import hashlib
import json
import os
import random
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta

import pytest
from filelock import FileLock
from serving import Server, serving, year_of

from smlib.data import DataError, open_source
from smlib.data.catalog import sha256
from smlib.data.get.fetch import INCOMING, LOCK, RECORD, Item, fetch
from smlib.data.get.transfer import CHUNK, Unwritable, read_json
from smlib.data.readers.uscrn import read_year

NAMES = [f"2020/CRND0103-2020-XX_Place_{n}_N.txt" for n in (1, 2, 3)]
QUICK = {"pause": 0.01, "timeout": (2, 0.3)}
FAULTS = ["drop", "stall", "slow", "cut length", "long length", "no length", "chunks", "change", "weak", "no ranges",
          "page", "429", "500", "503", "408"]


@pytest.fixture
def server():
    site = Server()
    for name in NAMES:
        site.put(f"/{name}", year_of(name, 2020, days=150))
    with serving(site):
        yield site


def items(server, names=NAMES):
    return [Item(f"{server.url}/{name}", f"uscrn/{name}", read_year) for name in names]


def tree(folder):
    """Every file but the lock, by name: its content, and of the record what does not hang on the day and the port."""
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*")
             if path.is_file() and path.name not in (LOCK, RECORD)}
    record = read_json(folder / RECORD)
    return found | {RECORD: {name: (entry["sha256"], entry["bytes"]) for name, entry in record.items()}}


@pytest.fixture
def wanted(server):
    """What the folder holds in the end, as `tree` tells it."""
    def state():
        held = {f"uscrn/{name}": server.files[f"/{name}"] for name in NAMES}
        return held | {RECORD: {name: (hashlib.sha256(body).hexdigest(), len(body)) for name, body in held.items()}}

    return state


def test_what_is_there_is_not_fetched_again(server, wanted, tmp_path):
    first = fetch(items(server), tmp_path, **QUICK)
    assert first.fetched == sorted(f"uscrn/{name}" for name in NAMES) and tree(tmp_path) == wanted()
    assert str(first) == "3 fetched, 0 there already, 0 not on the server"
    entry = read_json(tmp_path / RECORD)[f"uscrn/{NAMES[0]}"]
    assert entry["sha256"] == sha256(tmp_path / "uscrn" / NAMES[0])
    assert entry["fetched"] == f"{datetime.now(UTC):%Y-%m-%d}" and entry["url"] == f"{server.url}/{NAMES[0]}"
    before = len(server.asked())
    second = fetch(items(server), tmp_path, **QUICK)
    assert second.kept == first.fetched and len(server.asked()) == before and len(server.asked("HEAD")) == 3
    assert all(status == 304 for method, _, _, status, _ in server.log if method == "HEAD")


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_leaves_no_trace(server, wanted, tmp_path, fault):
    server.faults[f"/{NAMES[0]}"] = [fault]
    fetch(items(server), tmp_path, **QUICK)
    assert tree(tmp_path) == wanted()
    assert {path: server.asked().count(path) for path in map("/{}".format, NAMES[1:])} == dict.fromkeys(
        map("/{}".format, NAMES[1:]), 1)


def test_any_faults_in_any_order_end_in_the_same_state(server, wanted, tmp_path):
    draw = random.Random(1)
    for name in NAMES:
        server.faults[f"/{name}"] = draw.choices([f for f in FAULTS if f != "change"], k=5)
    fetch(items(server), tmp_path, attempts=7, **QUICK)
    assert tree(tmp_path) == wanted()


def test_a_broken_download_goes_on_where_it_broke_off(server, tmp_path):
    path, size = f"/{NAMES[0]}", len(server.files[f"/{NAMES[0]}"])
    server.faults[path] = ["drop", "500", "drop"]
    fetch(items(server, NAMES[:1]), tmp_path, **QUICK)
    assert size <= server.bodies()[path] <= size + 2 * CHUNK  # every byte once, but what was in a broken chunk
    spans = [span for method, asked, span, _, _ in server.log if asked == path]
    starts = [int(span.removeprefix("bytes=").removesuffix("-")) for span in spans[1:]]
    assert spans[0] is None and size // 2 - CHUNK < starts[0] == starts[1] < starts[2]


def test_a_file_that_changes_under_way_is_that_of_one_version(server, tmp_path):
    path = f"/{NAMES[0]}"
    server.faults[path] = ["change"]
    fetch(items(server, NAMES[:1]), tmp_path, **QUICK)
    body = (tmp_path / "uscrn" / NAMES[0]).read_bytes()
    assert body == server.files[path] and b"2.622" not in body


def test_only_what_changed_or_was_damaged_is_fetched(server, wanted, tmp_path):
    fetch(items(server), tmp_path, **QUICK)
    server.put(f"/{NAMES[1]}", year_of("new", 2020, days=151), 3)
    damaged = tmp_path / "uscrn" / NAMES[2]
    damaged.write_bytes(damaged.read_bytes()[:-1] + b" ")
    server.log.clear()
    assert fetch(items(server), tmp_path, **QUICK).fetched == [f"uscrn/{name}" for name in NAMES[1:]]
    assert tree(tmp_path) == wanted() and sorted(server.asked()) == [f"/{name}" for name in NAMES[1:]]


def test_what_is_there_stays_when_the_server_is_away(server, tmp_path):
    fetch(items(server), tmp_path, **QUICK)
    nobody = [Item(item.url.replace(server.url, "http://127.0.0.1:9"), item.name, item.check) for item in items(server)]
    record = tmp_path / RECORD
    record.write_text(record.read_text().replace(server.url, "http://127.0.0.1:9"))
    report = fetch(nobody, tmp_path, **QUICK)
    assert len(report.unasked) == 3 and "3 kept without asking for a newer one" in str(report)


@pytest.mark.parametrize(("fault", "message"), [
    ("403", "answers 403"), ("page", "not what was asked for: line 1 has 3 fields"), ("cut length", "truncated"),
    ("500", "failed 4 times, the last time for: the server answers 500")])
def test_a_file_that_cannot_be_had_stops_none_of_the_others(server, tmp_path, fault, message):
    server.faults[f"/{NAMES[0]}"] = [fault] * 20
    with pytest.raises(DataError, match=message) as error:
        fetch(items(server), tmp_path, attempts=4, **QUICK)
    assert "1 of 3 files could not be had" in str(error.value) and "Say the same command again" in str(error.value)
    there = sorted(path.name for path in (tmp_path / "uscrn").rglob("*.txt"))
    assert there == sorted(name.rsplit("/", 1)[1] for name in NAMES[1:])
    server.faults.clear()
    assert fetch(items(server), tmp_path, **QUICK).fetched == [f"uscrn/{NAMES[0]}"]


def test_a_file_that_is_not_there_is_said_so(server, tmp_path):
    report = fetch(items(server, [*NAMES, "2020/CRND0103-2020-XX_Other_1_N.txt"]), tmp_path, **QUICK)
    assert report.absent == ["uscrn/2020/CRND0103-2020-XX_Other_1_N.txt"] and len(report.fetched) == 3


def test_a_server_that_asks_to_wait_is_left_alone_by_all_connections(server, tmp_path):
    server.faults["*"] = ["429 later"]
    started = time.monotonic()
    fetch(items(server), tmp_path, connections=1, **QUICK)
    assert time.monotonic() - started > 1 and [status for *_, status, _ in server.log] == [429, 200, 200, 200]


def test_never_more_connections_than_were_asked_for_and_they_say_who_asks(server, tmp_path):
    server.faults["*"] = ["slow"] * 3
    fetch(items(server), tmp_path, connections=2, **QUICK)
    assert server.most == 2 and all(agent.startswith("smlib/") for agent in server.agents)


def test_a_full_disk_leaves_nothing_half_written_and_can_be_mended(server, wanted, tmp_path):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10000, hard))  # Python ignores the signal, so that writes fail
    try:
        with pytest.raises(Unwritable, match="cannot be written .*make room"):
            fetch(items(server), tmp_path, **QUICK)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.glob("uscrn/**/*.txt"))
    fetch(items(server), tmp_path, **QUICK)
    assert tree(tmp_path) == wanted()


def test_a_killed_process_leaves_no_file_and_the_next_one_goes_on(server, wanted, tmp_path):
    path, size = f"/{NAMES[0]}", len(server.files[f"/{NAMES[0]}"])
    server.faults[path] = ["hang"]
    code = ("import sys; from smlib.data.get.fetch import Item, fetch; "
            "fetch([Item(sys.argv[1], sys.argv[2])], sys.argv[3], timeout=(5, 60))")
    words = [sys.executable, "-c", code, f"{server.url}{path}", f"uscrn/{NAMES[0]}", str(tmp_path)]
    process = subprocess.Popen(words, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
    part = tmp_path / INCOMING / "uscrn" / (NAMES[0] + ".part")
    for _ in range(3000):
        if part.exists() and part.stat().st_size:
            break
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert part.exists() and not (tmp_path / "uscrn" / NAMES[0]).exists()
    with pytest.raises(DataError, match="holds no soil moisture data"):
        open_source(tmp_path)
    fetch(items(server), tmp_path, **QUICK)
    assert tree(tmp_path) == wanted() and size <= server.bodies()[path] <= size + CHUNK


def test_what_another_process_left_whole_is_not_fetched_again(server, wanted, tmp_path):
    fetch(items(server), tmp_path, **QUICK)
    server.log.clear()
    staged = tmp_path / INCOMING / "uscrn" / NAMES[0]  # as a process leaves it that is killed after the last byte
    staged.parent.mkdir(parents=True)
    (tmp_path / "uscrn" / NAMES[0]).rename(staged.with_name(staged.name + ".part"))
    known = read_json(tmp_path / RECORD)[f"uscrn/{NAMES[0]}"]
    staged.with_name(staged.name + ".of").write_text(json.dumps(known | {"validator": known["etag"]}))
    fetch(items(server), tmp_path, **QUICK)
    assert tree(tmp_path) == wanted() and server.bodies() == {}


def test_two_processes_do_not_fetch_into_one_folder(server, tmp_path):
    with FileLock(tmp_path / LOCK), pytest.raises(DataError, match="another process is fetching"):
        fetch(items(server), tmp_path, **QUICK)


def test_what_a_service_computes_is_asked_for_again_until_it_is_settled(server, tmp_path):
    server.files["/point"] = lambda query: b"made on request"
    today = datetime.now(UTC).date()

    def run(until, fetched):
        item = Item(f"{server.url}/point?until={until}", "power/a.json", until=until)
        fetch([item], tmp_path, **QUICK)
        record = (tmp_path / RECORD).read_text().replace(str(today), str(fetched))
        (tmp_path / RECORD).write_text(record)
        return fetch([item], tmp_path, **QUICK).fetched

    assert run(date(2020, 12, 31), today - timedelta(300)) == []
    assert run(today - timedelta(40), today) == []
    assert run(today - timedelta(30), today - timedelta(1)) == ["power/a.json"]
    assert server.asked("HEAD") == []

"""The book as a reader meets it: every page in a browser, served from this machine alone."""

import functools
import http.server
import re
import shutil
import subprocess
import sys
import threading

import pytest

from smlib import paths
from smlib.run import stage

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--no-first-run"]


@pytest.fixture(scope="module")
def html():
    """The book of the smoke profile, built aside from the reader's own in _build/html."""
    folder = paths.ROOT / "_build" / "smoke" / "html"
    done = subprocess.run([sys.executable, "-m", "smlib", "build", "--profile", "smoke", "--html", folder],
                          cwd=paths.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith(f"the book is {folder / 'index.html'}")
    return folder


@pytest.fixture(scope="module")
def site(html):
    """The address of the book on this machine."""
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(html))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: the book is not looked at")
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: the book is not looked at")
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, site):
    """A blank page, with all that it asked for in `page.asked` and all that went wrong in `page.wrong`."""
    page = browser.new_page()
    page.asked, page.wrong = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("requestfailed", lambda request: page.wrong.append(f"{request.url}: {request.failure}"))
    page.on("response", lambda r: page.wrong.append(f"{r.url}: {r.status}") if r.status >= 400 else None)
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    yield page
    page.close()


def _foreign(page, site):
    return [url for url in page.asked if not url.startswith((site + "/", "data:", "blob:"))]


@pytest.mark.parametrize("name", stage.pages())
def test_page(page, site, name):
    """It loads, its images and mathematics show, nothing fails, nothing is asked of another host."""
    assert page.goto(f"{site}/{name}.html", wait_until="networkidle").status == 200
    assert page.locator("article h1").count() == 1
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    page.wait_for_function("[...document.images].every(image => image.complete)")
    broken = page.evaluate("[...document.images].filter(image => !image.naturalWidth).map(image => image.src)")
    formulas = page.locator(".math").count()
    if formulas:
        page.wait_for_function(f"document.querySelectorAll('.math mjx-container').length >= {formulas}")
        assert page.locator("mjx-merror").count() == 0
    # Warnings and bars on stderr are no part of a page.
    assert page.locator(".output.stderr").all_text_contents() == []
    assert (broken, page.wrong, _foreign(page, site)) == ([], [], [])


def test_notebook_pages_show_figures_and_tables(page, site):
    for name in stage.page_notebooks():
        if name == "tutorial/rerun":  # on commands, not on data
            continue
        page.goto(f"{site}/{name}.html", wait_until="networkidle")
        assert page.locator(".cell_output img").count() > 0 and page.locator(".cell_output table").count() > 0


def test_the_front_page_leads_into_the_book(page, site):
    page.goto(f"{site}/index.html", wait_until="networkidle")
    page.wait_for_url(f"{site}/intro.html")
    links = {link.split("#")[0] for link in page.eval_on_selector_all("nav a", "links => links.map(a => a.href)")}
    assert {f"{site}/{name}.html" for name in stage.pages()} <= links


def test_search_finds_persistence(page, site):
    page.goto(f"{site}/search.html?q=persistence", wait_until="networkidle")
    page.wait_for_selector("#search-results li a")
    found = " ".join(page.eval_on_selector_all("#search-results li a", "links => links.map(a => a.href)"))
    assert "stations/compare.html" in found
    assert (page.wrong, _foreign(page, site)) == ([], [])


def test_the_pages_hold_no_address_that_a_browser_would_fetch_elsewhere(html):
    loads = re.compile(r"""<(?:script|img|iframe|source)[^>]+src=["'](?:https?:)?//|"""
                       r"""<link(?![^>]*rel=["'](?:canonical|license)["'])[^>]+href=["'](?:https?:)?//""")
    assert {path.name: loads.findall(path.read_text()) for path in html.rglob("*.html")
            if loads.search(path.read_text())} == {}

"""The book as a reader meets it: every page in a browser, served from this machine alone."""

import functools
import html.parser
import http.server
import itertools
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from smlib import paths
from smlib.run import stage

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--no-first-run"]
AXE = Path(__file__).parent / "axe" / "axe.min.js"
# Rule of axe-core -> what of the theme breaks it (a pattern of its place or markup), and why it stays.
THEMES_OWN = {
    # The button of light and dark shows one of three icons and is called by what it does.
    "label-content-name-mismatch": ["theme-switch-button"],
}


@pytest.fixture(scope="module")
def html_folder():
    """The book of the smoke profile, built aside from the reader's own in _build/html."""
    folder = paths.ROOT / "_build" / "smoke" / "html"
    done = subprocess.run([sys.executable, "-m", "smlib", "build", "--profile", "smoke", "--html", folder],
                          cwd=paths.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith(f"the book is {folder / 'index.html'}")
    return folder


@pytest.fixture(scope="module")
def site(html_folder):
    """The address of the book on this machine."""
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=str(html_folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
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
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.asked, page.wrong = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("requestfailed", lambda request: page.wrong.append(f"{request.url}: {request.failure}"))
    page.on("response", lambda r: page.wrong.append(f"{r.url}: {r.status}") if r.status >= 400 else None)
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on("console", lambda said: page.wrong.append(said.text) if said.type == "error" else None)
    yield page
    page.close()


def _foreign(page, site):
    return [url for url in page.asked if not url.startswith((site + "/", "data:", "blob:"))]


@pytest.mark.parametrize("name", stage.pages())
def test_page(page, site, name):
    """It loads, all that it shows is drawn, nothing fails or is asked of another host, and everyone can read it.

    One load for all checks, and all that is wrong in one message.
    """
    assert page.goto(f"{site}/{name}.html", wait_until="networkidle").status == 200
    page.evaluate(UNFOLD)
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    page.wait_for_function("[...document.images].every(image => image.complete)")
    wrong = [f"image not drawn or blank: {src}" for src in page.evaluate(BLANK_IMAGES)]
    formulas = page.locator(".math").count()
    if formulas:
        page.wait_for_function(f"document.querySelectorAll('.math mjx-container').length >= {formulas}")
        wrong += [f"{page.locator('mjx-merror').count()} formulas fail"] * bool(page.locator("mjx-merror").count())
    # Warnings and bars on stderr are no part of a page.
    wrong += [f"on stderr: {text}" for text in page.locator(".output.stderr").all_text_contents()]
    wrong += _headings(page) + _accessibility(page) + _long_tables(page) + _interactive(page) + _on_a_phone(page)
    wrong += page.wrong + _foreign(page, site)
    assert not wrong, "\n".join(wrong)


UNFOLD = "document.querySelectorAll('details').forEach(folded => { folded.open = true; })"
# An image of one colour shows nothing.
BLANK_IMAGES = """[...document.images].filter(image => {
    if (!image.naturalWidth) return true;
    if (!image.closest("article") || image.naturalWidth < 32) return false;
    const canvas = Object.assign(document.createElement("canvas"), {width: 64, height: 64});
    const pen = canvas.getContext("2d");
    pen.drawImage(image, 0, 0, 64, 64);
    const pixels = new Uint32Array(pen.getImageData(0, 0, 64, 64).data.buffer);
    return new Set(pixels).size < 8;
}).map(image => image.src)"""


def _headings(page):
    """One h1, and no level left out on the way down."""
    levels = [int(tag[1]) for tag in page.eval_on_selector_all(
        "article :is(h1, h2, h3, h4, h5, h6)", "found => found.map(one => one.tagName)")]
    skipped = [f"a heading h{b} follows an h{a}" for a, b in itertools.pairwise(levels) if b > a + 1]
    return skipped + [f"headings: {levels}"] * (levels[:1] != [1] or levels.count(1) != 1)


def _accessibility(page):
    """What axe-core finds against WCAG 2.1 A and AA, and of contrast in the dark, but for what `THEMES_OWN` lists.

    In the dark it looks at one page of the reference, which are large and all of one make.
    """
    page.add_script_tag(path=AXE)
    # Colours on their way from light to dark are nobody's text.
    page.add_style_tag(content="*, ::before, ::after { transition: none !important; animation: none !important; }")
    found = page.evaluate(VIOLATIONS, ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"])
    if "/reference/" not in page.url or "/reference/train" in page.url:
        page.evaluate("document.documentElement.dataset.theme = 'dark'")
        found += [["in the dark: " + rule, *place] for rule, *place in page.evaluate(VIOLATIONS, ["color-contrast"])]
        page.evaluate("document.documentElement.dataset.theme = 'light'")
    return [f"{rule} at {target}: {markup} ({why})" for rule, target, markup, why in found
            if not any(re.search(theirs, target + " " + markup) for theirs in THEMES_OWN.get(rule, {}))]


VIOLATIONS = """async (wanted) => (await axe.run(document, {runOnly: wanted, resultTypes: ["violations"]}))
    .violations.flatMap(rule => rule.nodes.map(node => [rule.id, node.target.join(" "), node.html.slice(0, 160),
                                                        node.failureSummary]))"""


def _long_tables(page):
    """Each of more than 12 rows has a box that scrolls; the first three sort when the head of a column is clicked."""
    wrong = [f"table {i} of {rows} rows does not scroll" for i, rows in page.evaluate(UNBOXED)]
    wrong += [f"{count} long tables do not sort" for count in [page.evaluate(UNSORTED)] if count]
    for table in page.locator(".long-table table").all()[:3]:
        head = table.locator("th.dt-orderable-asc").last
        column = int(head.get_attribute("data-dt-column"))
        before = table.evaluate(COLUMN_VALUES, column)
        for direction in ("ascending", "descending"):
            head.click()
            sorted_so = table.locator(f"th[data-dt-column='{column}'][aria-sort='{direction}']").first
            sorted_so.wait_for(state="attached", timeout=5000)
            values = table.evaluate(COLUMN_VALUES, column)
            if values != sorted(before, reverse=direction == "descending"):
                wrong.append(f"not sorted {direction}: {values}")
    return wrong


UNBOXED = """[...document.querySelectorAll("article table")].map((table, i) => [i, table])
    .filter(([, table]) => table.tHead && table.tBodies[0].rows.length > 12 && !table.closest("#this-run"))
    .filter(([, table]) => {
        for (let box = table.parentElement; box && box.tagName !== "ARTICLE"; box = box.parentElement)
            if (getComputedStyle(box).overflowY === "auto" && box.clientHeight <= 600) return false;
        return true;
    }).map(([i, table]) => [i, table.tBodies[0].rows.length])"""
UNSORTED = """[...document.querySelectorAll("article table")].filter(table => table.tHead
    && table.tBodies[0].rows.length > 12 && !table.querySelector("tbody [colspan]")
    && !table.closest("#this-run") && !table.closest(".dt-container")).length"""
# What a column is sorted by: numbers if it has them, otherwise its text in lower case.
COLUMN_VALUES = """(table, column) => [...table.tBodies[0].rows].map(row => row.cells[column])
    .map(cell => "order" in cell.dataset ? Number(cell.dataset.order) : cell.textContent.trim().toLowerCase())"""


def _interactive(page):
    """Each interactive figure draws when a reader asks for it."""
    wrong = []
    for box in page.locator("figure[data-interactive]").all():
        box.get_by_role("button", name="Explore").click()
        box.locator("canvas").first.wait_for(state="attached", timeout=30_000)
        page.wait_for_timeout(500)
        shades = max(box.locator("canvas").evaluate_all("""found => found.map(one =>
            one.width * one.height ? new Set(new Uint32Array(one.getContext("2d")
                .getImageData(0, 0, one.width, one.height).data.buffer)).size : 0)"""))
        if shades < 8:
            wrong.append(f"the interactive figure {box.get_attribute('data-interactive')} is blank")
    return wrong


def _on_a_phone(page):
    page.set_viewport_size({"width": 390, "height": 844})
    wide = page.evaluate("document.documentElement.scrollWidth")
    widest = page.evaluate("""[...document.querySelectorAll("article *")].filter(one => {
        if (one.getBoundingClientRect().right <= 391) return false;
        for (let box = one.parentElement; box; box = box.parentElement)
            if (box.tagName !== "HTML" && box.tagName !== "BODY" && getComputedStyle(box).overflowX !== "visible")
                return false;
        return true;
    }).slice(0, 3).map(one => one.outerHTML.slice(0, 120))""") if wide > 390 else []
    return [f"the page is {wide} px wide on a phone of 390: {widest}"] * (wide > 390)


def test_notebook_pages_show_figures_and_tables(page, site):
    for name in stage.page_notebooks():
        if name == "tutorial/rerun":  # on commands, not on data
            continue
        page.goto(f"{site}/{name}.html", wait_until="networkidle")
        assert page.locator(".cell_output img").count() > 0 and page.locator(".cell_output table").count() > 0


def test_a_figure_opens_at_full_size(page, site):
    page.goto(f"{site}/stations/compare.html", wait_until="networkidle")
    figure = page.locator("article .cell_output img").first
    shown, drawn = figure.evaluate("image => [image.clientWidth, image.naturalWidth]")
    assert drawn > 1.2 * shown and page.wrong == []
    figure.click()
    page.wait_for_url("**/_images/*.png")  # of a bare image the browser asks for an icon, which no page names
    assert page.locator("img").evaluate("image => image.naturalWidth") == drawn


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


def test_the_pages_hold_no_address_that_a_browser_would_fetch_elsewhere(html_folder):
    loads = re.compile(r"""<(?:script|img|iframe|source)[^>]+src=["'](?:https?:)?//|"""
                       r"""<link(?![^>]*rel=["'](?:canonical|license)["'])[^>]+href=["'](?:https?:)?//""")
    assert {path.name: loads.findall(path.read_text()) for path in html_folder.rglob("*.html")
            if loads.search(path.read_text())} == {}


class _Anchors(html.parser.HTMLParser):
    """The addresses that a page links to, and the places in it that a link can name."""

    def __init__(self, path):
        super().__init__()
        self.links, self.places = set(), {"", "top"}
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.places |= {attributes[key] for key in ("id", "name") if attributes.get(key)}
        if tag == "a" and attributes.get("href"):
            self.links.add(attributes["href"])


def test_every_link_inside_the_book_resolves_to_its_very_place(html_folder):
    pages = {path: _Anchors(path) for path in html_folder.rglob("*.html")
             if not path.relative_to(html_folder).parts[0].startswith("_")}
    broken = []
    for path, page in pages.items():
        for link in sorted(page.links):
            to = urlsplit(link)
            if to.scheme or to.netloc:
                continue
            target = (path.parent / unquote(to.path)).resolve() if to.path else path
            if not target.exists() or target in pages and unquote(to.fragment) not in pages[target].places:
                broken.append(f"{path.relative_to(html_folder)}: {link}")
    assert not broken, "\n".join(broken)


def test_tables_sort_and_figures_draw_in_a_page_that_is_opened_as_a_file(page, html_folder):
    page.goto((html_folder / "stations" / "data.html").as_uri(), wait_until="load")
    page.wait_for_selector("figure[data-interactive] button")
    page.evaluate(UNFOLD)
    assert _interactive(page) + _long_tables(page) + page.wrong == []
    assert all(url.startswith(("file:", "data:", "blob:")) for url in page.asked)


def test_claims_are_filtered_and_a_link_finds_its_row_all_the_same(page, site):
    page.goto(f"{site}/synthesis/claims.html", wait_until="networkidle")
    rows = page.locator("table#claims tbody tr")
    studies = rows.locator("td:nth-child(1)").all_text_contents()
    last = rows.last.get_attribute("id")
    assert studies[0] != studies[-1]
    page.locator(".table-filters select").first.select_option(studies[0])
    assert rows.locator("td:nth-child(1)").all_text_contents() == [study for study in studies if study == studies[0]]
    page.evaluate("name => { location.hash = name; }", last)
    page.wait_for_function("name => document.getElementById(name)", arg=last)
    assert rows.count() == len(studies) and page.locator(f"tr[id='{last}']").is_visible()
    assert page.wrong == []


def test_without_javascript_images_and_tables_are_there(browser, site):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}/stations/data.html")
    assert page.locator(".cell_output img").count() > 0 and page.locator(".cell_output table").first.is_visible()
    assert page.locator("figure[data-interactive]").first.is_hidden()
    context.close()


CLAIMS = """<table id="claims"><thead>
<tr><th data-filter>study</th><th>difference</th><th data-filter>verdict</th></tr></thead><tbody>
<tr><td>stations</td><td>−0.10 (−0.2 to 0.1)</td><td>holds</td></tr>
<tr><td>nudging</td><td>–</td><td>does not hold</td></tr>
<tr><td>stations</td><td>0.02</td><td>holds</td></tr>
<tr><td>fusion</td><td>−1.5</td><td>holds not</td></tr></tbody></table>"""


def test_columns_with_data_filter_can_be_chosen_by_value_and_numbers_sort_as_numbers(page, site):
    html = (f'<meta charset="utf-8"><link rel="icon" href="_static/favicon.svg"><article>{CLAIMS}</article>'
            '<script src="_static/book.js"></script>')
    page.route(f"{site}/claims.html", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto(f"{site}/claims.html", wait_until="networkidle")
    shown = "rows => rows.map(row => row.cells[1].textContent)"
    page.get_by_role("combobox", name="verdict").select_option("holds")
    assert page.eval_on_selector_all("#claims tbody tr", shown) == ["−0.10 (−0.2 to 0.1)", "0.02"]
    page.get_by_role("combobox", name="study").select_option("nudging")
    assert page.locator("#claims tbody").inner_text() == "No row has this."
    for name in ("study", "verdict"):
        page.get_by_role("combobox", name=name).select_option("all")
    page.get_by_role("button", name=re.compile("^difference")).press("Enter")  # by keyboard
    page.locator("#claims th[aria-sort=ascending]").wait_for(timeout=5000)
    assert page.eval_on_selector_all("#claims tbody tr", shown) == ["–", "−1.5", "−0.10 (−0.2 to 0.1)", "0.02"]
    assert page.wrong == []

"""Make the tables at the end of book/foundations/data.md from data/catalog.yml: python scripts/make_data_tables.py"""

from smlib import paths
from smlib.data.catalog import read_catalog

PAGE = paths.BOOK / "foundations" / "data.md"
BEGIN = "% From here on made from data/catalog.yml by scripts/make_data_tables.py.\n"
END = "% Until here.\n"


def tables():
    """The text between the marks: the products, then each study's variables."""
    head = ("name", "product, version, provider", "licence", "resolution", "login", "on disk")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    products = read_catalog(part="products")
    for name, one in products.items():
        by = "" if one["get"] == "command" else " (by hand)"
        lines.append(f"| `{name}`{by} | [{one['title']}]({one['url']}), {one['version']}; {one['provider']} | "
                     f"{one['licence']} | {one['resolution']} | {one['login']} | {one['size']} |")
    lines += ["", "How each variable of each study becomes the canonical one:", ""]
    for study in read_catalog(part="studies").values():
        lines += [f"**{study['title']}**", "", "| variable | from | how |", "|---|---|---|"]
        for name, one in study["variables"].items():
            word, _, more = name.partition(" ")
            sources = ", ".join(f"`{product}`" for product in one["from"])
            lines.append(f"| `{word}`{' ' + more if more else ''} | {sources} | {one['becomes']} |")
        lines.append("")
    return "\n".join(lines)


def page(text):
    """The page with its tables made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{tables()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")

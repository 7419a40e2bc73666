"""Put the pages together and build the site from them, with every warning an error."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from manual.link_pages import link_from, with_dark_twins
from manual.recipe_pages import families, family_parts, overview_part, variant_pages
from manual.reference_pages import reference_pages
from promptreid.config.recipes import recipe_names

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "build" / "manual" / "pages"
"""Where the pages are put together, with the settings of the site beside them."""

BESIDE = ("CHANGELOG.md", "CONTRIBUTING.md")
"""Files of the repository that are pages of the site, beside README, which is the first one."""


def build_site() -> Path:
    """Build the whole site.

    Returns:
        The folder with the site, which opens from the disk.

    Raises:
        RuntimeError: The builder warned or failed; the message is what it said.
    """
    write_pages()
    site = PAGES.parent / "site"
    shutil.rmtree(site, ignore_errors=True)
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--clean", "--strict"],
        cwd=PAGES.parent,
        capture_output=True,
        text=True,
    )
    said = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
    if done.returncode or re.search(r"\bwarning\b", said, re.IGNORECASE):
        raise RuntimeError(f"zensical found something to mend:\n{said}")
    return site


def write_pages() -> Path:
    """Write every page of the site as markdown, those from recipes and docstrings included.

    Returns:
        Their folder.
    """
    shutil.rmtree(PAGES, ignore_errors=True)
    shutil.copytree(ROOT / "docs", PAGES)
    made = {**variant_pages(), **reference_pages()}
    for path in sorted((ROOT / "docs").rglob("*.md")):
        name = path.relative_to(ROOT / "docs").as_posix()
        made[name] = link_from(f"docs/{name}", path.read_text(encoding="utf-8"))
    for family, part in family_parts().items():
        made[f"recipes/{family}.md"] += part
    made["recipes/index.md"] += overview_part()
    made["index.md"] = link_from("README.md", (ROOT / "README.md").read_text(encoding="utf-8"))
    for name in BESIDE:
        made[name.lower()] = link_from(name, (ROOT / name).read_text(encoding="utf-8"))
    for name, text in made.items():
        page = PAGES / name
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(with_dark_twins(text, page.parent), encoding="utf-8")
    shutil.copy(Path(__file__).with_name("site.css"), PAGES / "site.css")
    settings = (ROOT / "zensical.toml").read_text(encoding="utf-8")
    (PAGES.parent / "zensical.toml").write_text(with_variants(settings), encoding="utf-8")
    return PAGES


def with_variants(settings: str) -> str:
    """Put the pages of a family's variants below its own page in the navigation.

    Args:
        settings: `zensical.toml`, which names a page of each family on a line of its own.
    """
    for family in families():
        below = [name for name in recipe_names() if name.startswith(f"{family}/")]
        if below:
            pages = ", ".join(f'"recipes/{name}.md"' for name in (family, *below))
            settings = settings.replace(f'"recipes/{family}.md"', f'{{ "{family}" = [{pages}] }}')
    return settings

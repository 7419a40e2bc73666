"""Takes the pictures of pages: `python -m manual.screenshots DEMO`, the folder of a demo.

Each page is taken in light colours, as `NAME.png`, and in dark ones, as `NAME-dark.png`. Playwright
and Chromium are needed, as for the tests in a browser.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FilePayload, Page

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
_SCHEMES = {"light": "", "dark": "-dark"}
_REPORT, _SEARCH = (1280, 800), (1160, 900)  # width and height of a window
_PATIENCE = 300  # seconds until the service answers


def take_all(demo: Path) -> None:
    """Take the pictures of the report and of the search page into `docs/images`.

    Args:
        demo: Folder of a demo; nothing is changed in it.
    """
    from playwright.sync_api import sync_playwright

    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    binary = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=binary, args=sandbox)
        for scheme, ending in _SCHEMES.items():
            with _opened(browser, scheme, _REPORT) as page:
                page.goto((demo / "report.html").resolve().as_uri())
                _save(page, IMAGES / f"report{ending}.png")
        with _served(demo / "hands.gallery") as address:
            photo = _find_recognised(browser, address, demo / "photos" / "enrolled")
            for scheme, ending in _SCHEMES.items():
                with _opened(browser, scheme, _SEARCH) as page:
                    page.goto(address)
                    page.set_input_files(".drop input[type=file]", str(photo))
                    page.wait_for_selector(".answer")
                    page.wait_for_load_state("networkidle")
                    page.evaluate("scrollTo(0, 0)")
                    page.screenshot(
                        path=IMAGES / f"page-search{ending}.jpg", type="jpeg", quality=80
                    )
        browser.close()


@contextlib.contextmanager
def _opened(browser: Browser, scheme: str, size: tuple[int, int]) -> Generator[Page]:
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    yield context.new_page()
    context.close()


def _save(page: Page, path: Path) -> None:
    """Write what a page shows with 256 colours, which a reader loads in a third of the time."""
    page.screenshot(path=path)
    with Image.open(path) as image:
        image.convert("RGB").quantize(256).save(path, optimize=True)


@contextlib.contextmanager
def _served(gallery: Path) -> Generator[str]:
    """Serve a gallery on a free port of this machine, and return its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "promptreid", "serve", str(gallery), "--port", str(port)]
    with subprocess.Popen(command) as service:
        try:
            _wait_for(f"{address}/ready", service)
            yield address
        finally:
            service.terminate()


def _wait_for(address: str, service: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _PATIENCE
    while service.poll() is None and time.monotonic() < end:
        with contextlib.suppress(URLError), urlopen(address) as answer:
            if answer.status == 200:
                return
        time.sleep(0.5)
    raise RuntimeError(f"The service does not answer at {address}.")


def _find_recognised(browser: Browser, address: str, folder: Path) -> Path:
    """Return the first photo whose identity the gallery names, as its file is called."""
    with contextlib.closing(browser.new_context()) as context:
        for photo in sorted(folder.glob("*.jpg")):
            file: FilePayload = {
                "name": photo.name,
                "mimeType": "image/jpeg",
                "buffer": photo.read_bytes(),
            }
            sent = context.request.post(f"{address}/v1/search", multipart={"pictures": file})
            answer = sent.json()["answers"][0]
            named = answer["verdict"] == "identity" and answer["candidates"][0]["identity"]
            if named and named.rpartition(" ")[2] == photo.stem.rpartition(" ")[2]:
                return photo
    raise RuntimeError(f"The gallery recognises nobody of {folder}.")


if __name__ == "__main__":
    take_all(Path(sys.argv[1]))

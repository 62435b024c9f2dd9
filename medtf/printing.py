"""A page to a PDF, by a browser that is on this machine: Chromium or Chrome prints as it shows."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from medtf.errors import MedtfError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge", "msedge")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)
# a report loads nothing from anywhere, and its browser should ask for nothing either
QUIET = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
)
SECONDS = 120


def browser() -> str | None:
    """The browser to print with: `MEDTF_BROWSER` where it is set, else the first of those that are known here."""
    given = os.environ.get("MEDTF_BROWSER")
    if given:
        return shutil.which(given)
    found = (shutil.which(name) for name in NAMES)
    return next(filter(None, found), None) or next((place for place in PLACES if Path(place).is_file()), None)


def arguments(program: str, profile: str) -> list[str]:
    """The browser, without a window, with a profile of its own that is thrown away."""
    # as root there is no sandbox to be had; the page is our own and runs no script
    alone = ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
    return [program, *QUIET, *alone, f"--user-data-dir={profile}"]


def pdf(page: Path, out: Path) -> Path:
    """Print an HTML file.

    Args:
        page: the file. out: the PDF; written whole or not at all.

    Raises:
        MedtfError: no browser here, or it gave no PDF.
    """
    program = browser()
    if program is None:
        raise MedtfError(
            f"no browser to print with: expected {NAMES[0]} or {NAMES[2]} on the PATH, or its path in MEDTF_BROWSER;"
            f" or open {page} in any browser and print it there"
        )
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        made = Path(folder) / "page.pdf"
        command = [*arguments(program, f"{folder}/profile"), "--no-pdf-header-footer", f"--print-to-pdf={made}"]
        try:
            done = subprocess.run(
                [*command, page.absolute().as_uri()], capture_output=True, text=True, timeout=SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise MedtfError(f"{program}: could not print {page}: {_last(str(error))}") from error
        if not made.is_file() or not made.read_bytes().startswith(b"%PDF"):
            raise MedtfError(f"{program}: gave no PDF of {page} (exit {done.returncode}): {_last(done.stderr)}")
        beside = out.with_name(f".{out.name}.{os.getpid()}")
        try:
            shutil.copyfile(made, beside)
            os.replace(beside, out)
        finally:
            beside.unlink(missing_ok=True)
    return out


def _last(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:300] if lines else "it said nothing"

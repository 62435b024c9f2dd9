"""PDFs by whatever browser there is; the browsers of these tests are scripts."""

import os
import stat

import pytest

from medtf import printing
from medtf.errors import MedtfError


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("<p>hello")
    return path


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A browser that does what `script` says; $out is the PDF it was asked for."""

    def build(script: str):
        path = tmp_path / "browser"
        find = 'for word in "$@"; do case $word in --print-to-pdf=*) out=${word#--print-to-pdf=};; esac; done\n'
        path.write_text(f"#!/bin/sh\n{find}{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IEXEC)
        monkeypatch.setenv("MEDTF_BROWSER", str(path))

    return build


def test_a_page_is_printed_whole(fake, page):
    fake('echo "%PDF-1.4 $*" > "$out"')
    out = page.with_suffix(".pdf")
    assert printing.pdf(page, out) == out
    said = out.read_text()
    assert page.as_uri() in said
    for wanted in ("--headless", "--no-pdf-header-footer", "--disable-background-networking", "--user-data-dir="):
        assert wanted in said, wanted


@pytest.mark.parametrize(
    ("script", "said"),
    [("echo 'it burns' >&2; exit 3", r"gave no PDF .* \(exit 3\): it burns"), ('echo no > "$out"', "it said nothing")],
)
def test_a_browser_that_gives_nothing_leaves_the_old_file(fake, page, script, said):
    fake(script)
    old = page.with_suffix(".pdf")
    old.write_text("old")
    with pytest.raises(MedtfError, match=said):
        printing.pdf(page, old)
    assert old.read_text() == "old"
    assert {p.name for p in page.parent.iterdir()} == {"report.html", "report.pdf", "browser"}


def test_a_browser_that_hangs_is_ended(fake, page, monkeypatch):
    fake("exec sleep 60")
    monkeypatch.setattr(printing, "SECONDS", 0.2)
    with pytest.raises(MedtfError, match="could not print"):
        printing.pdf(page, page.with_suffix(".pdf"))


def test_without_a_browser_the_way_out_is_named(page, monkeypatch):
    monkeypatch.delenv("MEDTF_BROWSER", raising=False)
    monkeypatch.setenv("PATH", os.devnull)
    monkeypatch.setattr(printing, "PLACES", ())
    with pytest.raises(MedtfError, match=r"no browser to print with: expected chromium .* open .*report.html in any"):
        printing.pdf(page, page.with_suffix(".pdf"))


def test_a_browser_that_is_named_but_away_is_none(monkeypatch):
    monkeypatch.setenv("MEDTF_BROWSER", "no-such-browser")
    assert printing.browser() is None

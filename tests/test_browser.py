"""The report in a real browser: no sideways scrolling at 1400 and 400 pixels, nothing loaded from anywhere, nothing to complain of."""

import html
import json
import re
import subprocess

import numpy as np
import pytest
import reported

from medtf import printing, reporting

pytestmark = pytest.mark.skipif(printing.browser() is None, reason="no Chromium or Chrome on this machine")

# A frame is as narrow as it is told to be; a window of headless Chromium is not.
HARNESS = """<!doctype html><meta charset="utf-8"><body>
<script>
const errors = [];
async function measured(width) {
  const frame = document.createElement("iframe");
  frame.style = `width:${width}px;height:900px;border:0`;
  frame.src = "report.html";
  await new Promise(done => { frame.onload = done; document.body.append(frame); });
  const page = frame.contentDocument, view = frame.contentWindow;
  const wide = () => page.documentElement.scrollWidth;
  const closed = wide();
  for (const part of page.querySelectorAll("details")) part.open = true;
  const scrolled = part => part.closest(".scroll, pre");
  const over = [...page.querySelectorAll("body *")].filter(
    part => part.getBoundingClientRect().right > width + 1 && !scrolled(part)
  ).map(part => `${part.tagName}.${part.className} ${part.textContent.trim().slice(0, 40)}`);
  const images = [...page.images];
  for (const image of images) image.loading = "eager";
  const loaded = image => image.complete || new Promise(done => { image.onload = image.onerror = done; });
  await Promise.all(images.map(loaded));
  const drawn = images.map(image => image.naturalWidth > 1);
  const box = name => { const r = page.querySelector(name).getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; };
  const found = {
    closed, opened: wide(), over: over.slice(0, 5), images: drawn.length, drawn: drawn.filter(Boolean).length,
    loaded: view.performance.getEntriesByType("resource").map(e => e.name).filter(name => !name.startsWith("data:")),
    nav: box("nav"), main: box("main"), title: page.title,
    links: [...page.querySelectorAll("a[href^='#']")].filter(a => !page.getElementById(a.hash.slice(1))).map(a => a.hash),
    small: [...page.querySelectorAll("main p, main td, main li")].filter(
      part => part.textContent.trim() && parseFloat(view.getComputedStyle(part).fontSize) < 11).length,
  };
  frame.remove();
  return found;
}
addEventListener("load", async () => {
  const out = {};
  for (const width of [1400, 400]) out[width] = await measured(width);
  const pre = document.createElement("pre");
  pre.id = "out";
  pre.textContent = JSON.stringify(out);
  document.body.append(pre);
});
</script>"""


@pytest.fixture(scope="module", params=["usual", "long names"])
def seen(request, tmp_path_factory):
    """What the browser measured of a report, and what it wrote to its console."""
    run = _run(tmp_path_factory.mktemp("browser") / "run", long=request.param == "long names")
    page = reporting.again(run)
    harness = page.with_name("harness.html")
    harness.write_text(HARNESS)
    profile = tmp_path_factory.mktemp("profile")
    command = [*printing.arguments(printing.browser(), str(profile)), "--allow-file-access-from-files"]
    command += ["--enable-logging=stderr", "--window-size=1500,1000", "--virtual-time-budget=20000", "--dump-dom"]
    done = subprocess.run([*command, harness.as_uri()], capture_output=True, text=True, timeout=120, check=False)
    found = re.search(r'<pre id="out">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr[-2000:]
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return page, {int(width): values for width, values in json.loads(html.unescape(found[1])).items()}, console


def _run(folder, *, long: bool):
    if not long:
        return reported.write(folder)
    frame = reported.people()
    name = "Pneumothorax_with_a_very_long_name_that_nobody_would_choose_but_somebody_has"
    sites = [f"Universitaetsklinikum-{'x' * 40}-{i}" for i in range(11)]
    frame["site"] = np.array(sites)[(np.arange(len(frame)) // 2) % 11]
    frame["manufacturer"] = "A maker whose name " + "goes on and on " * 6
    targets = {f"any_{i}": {"binary": {"positive": name}} for i in range(2)}
    for target in targets:
        frame[target] = np.where(frame["any"] == "bleeding", name, "none")
    return reported.write(folder, targets=targets, frame=frame)


@pytest.mark.parametrize("width", [1400, 400])
def test_the_page_never_scrolls_sideways(seen, width):
    found = seen[1][width]
    assert found["closed"] <= width, found["over"]
    assert found["opened"] <= width, found["over"]
    assert found["over"] == []


@pytest.mark.parametrize("width", [1400, 400])
def test_images_are_drawn_and_links_lead_somewhere(seen, width):
    found = seen[1][width]
    assert found["images"] == found["drawn"] > 1
    assert found["links"] == []
    assert found["small"] == 0


def test_nothing_is_loaded_and_nothing_is_complained_of(seen):
    page, found, console = seen
    assert console == []
    assert [loaded for values in found.values() for loaded in values["loaded"]] == []
    assert not re.search(r"""(?:src|href)\s*=\s*["']?\s*(?:https?:)?//""", page.read_text())
    assert page.stat().st_size < 10_000_000


def test_the_contents_stand_beside_the_page_where_there_is_room(seen):
    wide, narrow = seen[1][1400], seen[1][400]
    assert wide["nav"][2] <= wide["main"][0]
    assert narrow["nav"][3] <= narrow["main"][1]
    assert narrow["main"][2] - narrow["main"][0] > 350

#!/usr/bin/env python3
"""Opens an HTML report in Debian's chromium and tells as JSON what came of it.

    html_report_browser.py FILE [--screenshots DIRECTORY]

For each width (1280 and 390) and color scheme (light and dark): the page's own troubles, what the console said, what it asked
the network for, how far it reaches beyond the screen, how many pixels of each chart are drawn, what its charts answer to
the pointer, and what is drawn when another method is chosen. With --screenshots a PNG of each. Exit code 1 when the browser itself fails.
"""

import argparse
import base64
import itertools
import json
import os
import pathlib
import select
import shutil
import signal
import sys
import tempfile
import time

TIMEOUT = 60  # seconds, for one answer

VIEWS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]

# Runs in the page. "painted": pixels that are not see-through; "drawn": those among them in the very colors of the data, which no
# axis has.
LOOK = """
(() => {
  const number = (color) => {
    const parts = color.startsWith("#") ? [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16)) : color.match(/[0-9]+/g).map(Number);
    return (parts[0] << 16) | (parts[1] << 8) | parts[2];
  };
  const of = (...names) => names.map((name) => colors.of(name));
  const DATA = {
    percentiles: of("none", ...[0, 1, 2, 3, 4, 5, 6].map((i) => `method-${i}`)),
    latency: colors.heatRamp(),
    throttle: of("pushing", "holding-back", "no-room"),
    stage: of("stage"),
    output: of("output"),
    memory: of("zero", "scanned", "faulted", "paused", "lost"),
  };
  const canvasOf = (figure) => [...figure.querySelectorAll("canvas")].map((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const wanted = new Set(DATA[figure.dataset.chart].map(number));
    let painted = 0;
    let drawn = 0;
    for (let i = 0; i < data.length; i += 4) {
      if (data[i + 3] === 0) continue;
      ++painted;
      if (wanted.has((data[i] << 16) | (data[i + 1] << 8) | data[i + 2])) ++drawn;
    }
    const box = canvas.getBoundingClientRect();
    return { painted, drawn, width: box.width, height: box.height, right: box.right };
  });
  const root = document.documentElement;
  const style = getComputedStyle(document.body);
  return {
    troubles: Number(root.dataset.troubles),
    title: document.title,
    width: root.clientWidth,
    overflow: root.scrollWidth - root.clientWidth,
    background: style.backgroundColor,
    text: document.body.innerText,
    scripts: document.scripts.length,
    charts: [...document.querySelectorAll("figure[data-chart]")].map((figure) => ({
      name: figure.dataset.chart, canvases: canvasOf(figure) })),
    rows: document.querySelectorAll("table.methods tbody tr").length,
    choices: [...document.querySelectorAll(".choices button")].map((button) => button.textContent),
  };
})()
"""

# Where a chart is on the screen, brought there first.
PLACE = """
(() => {
  const over = document.querySelector(%s);
  if (!over) return null;
  over.scrollIntoView({ block: "center", behavior: "instant" });
  const box = over.getBoundingClientRect();
  return [box.left, box.top, box.width, box.height];
})()
"""


class BrowserFailed(Exception):
    pass


class Browser:
    """A headless chromium, spoken to through a pipe. Gone with the object."""

    def __init__(self):
        program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if program is None:
            raise BrowserFailed("the program chromium is missing")
        self.profile = tempfile.mkdtemp(prefix="stillframe-browser-")
        to_browser, self.writer = os.pipe()
        self.reader, from_browser = os.pipe()
        argv = [program, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
                "--disable-dev-shm-usage", "--disable-extensions", f"--user-data-dir={self.profile}",
                "--remote-debugging-pipe", "about:blank"]
        null = os.open(os.devnull, os.O_RDWR)
        # Numbers 3 and 4 are what chromium reads from and writes to; the ends must not stand in their way.
        high = [os.dup2(fd, number) for fd, number in ((to_browser, 40), (from_browser, 41))]
        self.pid = os.posix_spawn(program, argv, os.environ, setpgroup=0, file_actions=[
            (os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, null, 1), (os.POSIX_SPAWN_DUP2, null, 2),
            (os.POSIX_SPAWN_DUP2, high[0], 3), (os.POSIX_SPAWN_DUP2, high[1], 4)])
        for fd in (to_browser, from_browser, null, *high):
            os.close(fd)
        self.numbers = itertools.count(1)
        self.buffer = b""
        self.events = []
        self.session = None

    def close(self):
        os.close(self.writer)
        os.close(self.reader)
        # Its own process group: the helpers of chromium go with it.
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.waitpid(self.pid, 0)
        shutil.rmtree(self.profile, ignore_errors=True)

    def receive(self, deadline):
        while b"\0" not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.reader], [], [], left)[0]:
                raise BrowserFailed("the browser gave no answer")
            piece = os.read(self.reader, 1 << 20)
            if not piece:
                raise BrowserFailed("the browser ended")
            self.buffer += piece
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self.session is not None:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.writer, data):]
        deadline = time.monotonic() + TIMEOUT
        while True:
            answer = self.receive(deadline)
            if answer.get("id") == number:
                if "error" in answer:
                    raise BrowserFailed(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, event):
        deadline = time.monotonic() + TIMEOUT
        seen = 0
        while True:
            for message in self.events[seen:]:
                if message.get("method") == event:
                    return
            seen = len(self.events)
            self.events.append(self.receive(deadline))

    def evaluate(self, code):
        result = self.call("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise BrowserFailed(str(result["exceptionDetails"]))
        return result["result"].get("value")

    def open_page(self):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def settle(self):
        """Two frames: what a script asked to be drawn is drawn."""
        self.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))")


def said_in_console(events):
    said = []
    for event in events:
        parameters = event.get("params", {})
        if event.get("method") == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            said.append(" ".join(str(a.get("value", a.get("description", ""))) for a in parameters["args"]))
        elif event.get("method") == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            said.append(details.get("exception", {}).get("description", details["text"]))
        elif event.get("method") == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            said.append(parameters["entry"]["text"])
    return said


def asked_for(events, own):
    return [event["params"]["request"]["url"] for event in events
            if event.get("method") == "Network.requestWillBeSent" and event["params"]["request"]["url"] != own]


def point_at(browser, selector, across, down, touch):
    """What the line beside a chart says when it is pointed at there (shares of its width and height)."""
    place = browser.evaluate(PLACE % json.dumps(selector))
    if place is None:
        return None
    x, y = place[0] + place[2] * across, place[1] + place[3] * down
    if touch:
        time.sleep(0.4)  # or two taps would be one double tap
        browser.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        browser.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    else:
        browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x - 1, y=y)
        browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    browser.settle()
    figure = json.dumps(selector.split(" ")[0])
    return browser.evaluate(f"document.querySelector({figure}).querySelector('.readout').textContent")


def choose(browser, i):
    """Presses the button of a method: which charts are drawn then, and what the page itself says is wrong."""
    browser.evaluate(f"document.querySelectorAll('.choices button')[{i}].click()")
    browser.settle()
    return browser.evaluate("""({
      charts: [...document.querySelectorAll("figure[data-chart]")].map((figure) => figure.dataset.chart),
      troubles: Number(document.documentElement.dataset.troubles),
      pressed: document.querySelector(".choices [aria-pressed=true]").textContent })""")


def look(browser, url, width, scheme, screenshot):
    touch = width < 500
    browser.events.clear()
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=844 if touch else 900,
                 deviceScaleFactor=2 if touch else 1, mobile=touch)
    browser.call("Emulation.setTouchEmulationEnabled", enabled=touch)
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.call("Page.navigate", url=url)
    browser.wait_for("Page.loadEventFired")
    browser.settle()
    found = {"wanted_width": width, "scheme": scheme, **browser.evaluate(LOOK)}
    if screenshot is not None:
        picture = browser.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        screenshot.write_bytes(base64.b64decode(picture["data"]))
    found["readouts"] = {
        name: point_at(browser, f"figure[data-chart={name}] {part}", 0.4, 0.6, touch)
        for name, part in (("latency", ".u-over"), ("throttle", ".u-over"), ("stage", ".u-over"), ("output", ".u-over"),
                           ("percentiles", ".u-over"), ("memory", "canvas"))}
    found["after_choice"] = [choose(browser, i) for i in range(len(found["choices"]))]
    # What the page draws anew while it is open: the reader's scheme changes.
    other = "light" if scheme == "dark" else "dark"
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": other}])
    browser.settle()
    found["background_of_other_scheme"] = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    found["console"] = said_in_console(browser.events)
    found["requests"] = asked_for(browser.events, url)
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("--screenshots", type=pathlib.Path)
    arguments = parser.parse_args()
    url = arguments.file.resolve().as_uri()
    try:
        browser = Browser()
        try:
            browser.open_page()
            views = []
            for width, scheme in VIEWS:
                screenshot = arguments.screenshots and arguments.screenshots / f"{width}-{scheme}.png"
                views.append(look(browser, url, width, scheme, screenshot))
        finally:
            browser.close()
    except BrowserFailed as failure:
        print(f"html_report_browser: {failure}", file=sys.stderr)
        return 1
    print(json.dumps(views))
    return 0


if __name__ == "__main__":
    sys.exit(main())

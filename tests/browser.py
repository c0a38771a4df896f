"""Chromium without a screen, driven over the DevTools protocol by two pipes: no port, no library.

``with Browser() as browser:`` starts it; ``page = browser.open(url)`` is a tab, whose pointer is the real one of the browser:
what a test does with it goes the way of a person's mouse, finger or pen.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "chromium-headless-shell")
# Without those of the network, Chromium asks for its maker's hosts at each start.
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-quic", "--disable-extensions", "--disable-dev-shm-usage"),
    *("--remote-debugging-pipe", "--enable-unsafe-swiftshader", "--hide-scrollbars"),
)
PATIENCE = 60  # seconds for an answer: a busy machine is slow, and one that gives none at all is broken


def program() -> str:
    """Chromium's path: that of ``MINIGRAD_BROWSER``, else the first of its names that there is."""
    named = os.environ.get("MINIGRAD_BROWSER")
    found = named or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise RuntimeError("There is no Chromium, which the tests of pages need. Install it: apt install chromium")
    return found


class Browser:
    """A browser with an empty profile, which is gone afterwards."""

    def __enter__(self) -> Self:
        self.home = tempfile.mkdtemp()
        command = [program(), *OPTIONS, f"--user-data-dir={self.home}", "about:blank"]
        moved = 'exec "$@" 3<&0 4>&1 0</dev/null 1>/dev/null'  # Chromium reads from number 3, and writes to number 4
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", moved, "sh", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            bufsize=0,
        )  # fmt: skip
        assert self._process.stdin is not None and self._process.stdout is not None
        self._write, self._read = self._process.stdin, self._process.stdout
        self._number, self._left, self.events = 0, b"", []
        return self

    def __exit__(self, *_: Any) -> None:
        try:
            self.send("Browser.close")
            self._process.wait(PATIENCE)
        except (OSError, RuntimeError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._write.close()
        self._read.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def send(self, method: str, session: str | None = None, **parameters: Any) -> Any:
        """Call a method, and give its result."""
        return self.send_all(method, [parameters], session)[0]

    def send_all(self, method: str, calls: Sequence[dict[str, Any]], session: str | None = None) -> list[Any]:
        """Call a method several times without waiting between, and give the results."""
        first = self._number + 1
        self._number += len(calls)
        of = {"sessionId": session} if session else {}
        messages = [{"id": first + at, "method": method, "params": call, **of} for at, call in enumerate(calls)]
        sent = b"".join(json.dumps(message).encode() + b"\0" for message in messages)
        while sent:
            sent = sent[self._write.write(sent) or 0 :]
        results: dict[int, Any] = {}
        for answer in self._messages():
            if answer.get("id", 0) < first:
                self.events.append(answer)
                continue
            if "error" in answer:
                raise RuntimeError(f"{method}: {answer['error']['message']}")
            results[answer["id"]] = answer["result"]
            if len(results) == len(calls):
                return [results[message["id"]] for message in messages]
        raise RuntimeError(f"{method}: the browser is gone")

    def _messages(self) -> Iterator[dict[str, Any]]:
        end = time.monotonic() + PATIENCE
        while True:
            while b"\0" not in self._left:
                if not select.select([self._read], [], [], max(0, end - time.monotonic()))[0]:
                    raise RuntimeError(f"the browser gave no answer for {PATIENCE} s")
                data = os.read(self._read.fileno(), 1 << 16)
                if not data:
                    return
                self._left += data
            message, _, self._left = self._left.partition(b"\0")
            yield json.loads(message)

    def wait(self, method: str, since: int, **fields: Any) -> None:
        """Wait for an event with these fields, which is not among the first ``since`` of ``events``."""
        end = time.monotonic() + PATIENCE
        while not any(event["method"] == method and fields.items() <= event["params"].items() for event in self.events[since:]):
            assert time.monotonic() < end, f"there was no {method} with {fields}"
            time.sleep(0.01)
            self.send("Browser.getVersion")

    def open(self, url: str, width: int = 1000, height: int = 800, *, phone: bool = False) -> Page:
        """A tab of a window of this size, loaded."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, target, session)
        for part in ("Page", "Runtime", "Log"):
            page.send(f"{part}.enable")
        scale = 3 if phone else 1
        page.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=phone)
        page.send("Emulation.setTouchEmulationEnabled", enabled=phone)
        page.go(url)
        return page


class Page:
    """A tab."""

    def __init__(self, browser: Browser, target: str, session: str) -> None:
        self.browser, self.target, self.session = browser, target, session

    def send(self, method: str, **parameters: Any) -> Any:
        return self.browser.send(method, self.session, **parameters)

    def go(self, url: str) -> None:
        """Load a page, and wait until it is there."""
        self.send("Page.navigate", url=url)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def until(self, condition: str) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + PATIENCE
        while not self.value(condition):
            assert time.monotonic() < end, f"{condition} did not come true"
            time.sleep(0.01)

    def value(self, expression: str) -> Any:
        """The value of an expression, awaited."""
        wish = {"expression": expression, "returnByValue": True, "awaitPromise": True, "userGesture": True}
        answer = self.send("Runtime.evaluate", **wish)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def text(self, selector: str) -> str:
        return self.value(f"document.querySelector({selector!r}).textContent")

    def click(self, selector: str) -> None:
        """Click in the middle of an element, as the mouse does."""
        code = f"(() => {{ const e = document.querySelector({selector!r}); e.scrollIntoView({{block: 'center'}});"
        x, y, w, h = self.value(code + " const b = e.getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; })()")
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, x + w / 2, y + h / 2)

    def mouse(self, kind: str, x: float, y: float, pointer: str = "mouse", **more: Any) -> None:
        buttons = 0 if kind == "mouseReleased" else 1
        wish = {"button": "left", "buttons": buttons, "clickCount": 1, "pointerType": pointer, **more}
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **wish)

    def sweep(self, *places: tuple[float, float]) -> None:
        """Move the mouse, its button down, faster than the page can look."""
        calls = [{"type": "mouseMoved", "x": x, "y": y, "button": "left", "buttons": 1} for x, y in places]
        self.browser.send_all("Input.dispatchMouseEvent", calls, self.session)

    def touch(self, kind: str, *fingers: tuple[float, float]) -> None:
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(fingers)]
        self.send("Input.dispatchTouchEvent", type=kind, touchPoints=points)

    def key(self, key: str, code: int, modifiers: int = 0) -> None:
        for kind in ("rawKeyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, modifiers=modifiers)

    def picture(self, path: Path) -> None:
        """A PNG file of what is shown."""
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", captureBeyondViewport=True)["data"]))

    def complaints(self) -> list[str]:
        """What this tab wrote to its console as a warning or error, refused by its policy or thrown by its script."""
        self.value("0")
        own = [event for event in self.browser.events if event.get("sessionId") == self.session]
        said = [str(event["params"]) for event in own if event["method"] in ("Runtime.exceptionThrown", "Log.entryAdded")]
        return said + [
            str(event["params"])
            for event in own
            if event["method"] == "Runtime.consoleAPICalled" and event["params"]["type"] in ("error", "warning")
        ]

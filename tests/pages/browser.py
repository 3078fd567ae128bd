"""Headless Chromium, driven by its DevTools protocol over a pipe."""

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def found() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """One page. `problems` are errors and messages of its console; `requests` are addresses that it loaded."""

    def __init__(self, process: subprocess.Popen) -> None:
        self._process, self._number, self._session = process, 0, None
        self.problems: list[str] = []
        self.requests: list[str] = []
        self._loaded = False

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._process.stdin.write(json.dumps(message).encode() + b"\0")
        self._process.stdin.flush()
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return answer["result"]

    def _next(self) -> dict[str, Any]:
        """The next message, an answer or an event."""
        data = bytearray()
        while (byte := self._process.stdout.read(1)) != b"\0":
            assert byte, "the browser has ended"
            data += byte
        message = json.loads(data)
        told = message.get("params", {})
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif message.get("method") in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
            self.problems.append(json.dumps(told))
        elif message.get("method") == "Page.javascriptDialogOpening":
            self.problems.append("a dialog")
        elif message.get("method") == "Page.loadEventFired":
            self._loaded = True
        return message

    def start(self) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def open(self, path: Path, dark: bool = False, width: int = 1280, height: int = 900) -> None:
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=scheme)
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self._loaded = False
        self.call("Page.navigate", url=path.as_uri())
        while not self._loaded:
            self._next()

    def close(self) -> None:
        self._session = None
        self.call("Browser.close")

    def evaluate(self, code: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=code, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def text(self, selector: str) -> str:
        return self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText")

    def _middle(self, selector: str, x: float, y: float) -> dict[str, float]:
        box = self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView({{block: 'center'}});"
            "const b = e.getClientRects()[0]; return [b.left, b.top, b.width, b.height]; })()"
        )
        return {"x": box[0] + x * box[2], "y": box[1] + y * box[3]}

    def hover(self, selector: str, x: float = 0.5, y: float = 0.5) -> None:
        """Point at an element: at a share x, y of its first box."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", **self._middle(selector, x, y))

    def click(self, selector: str) -> None:
        self.hover(selector)
        for kind in ("mousePressed", "mouseReleased"):
            where = self._middle(selector, 0.5, 0.5)
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **where)

    def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, text=key if len(key) == 1 else "")

    def screenshot(self) -> bytes:
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])


@contextmanager
def opened(program: str, profile: Path) -> Iterator[Page]:
    """A browser with an empty profile. It reads file descriptor 3 and writes to 4."""
    options = (
        "--headless=new --no-sandbox --disable-gpu --no-first-run --disable-background-networking --hide-scrollbars"
    )
    command = f'exec "$0" {options} --remote-debugging-pipe --user-data-dir="$1" 3<&0 4>&1 </dev/null >/dev/null 2>&1'
    process = subprocess.Popen(
        ["sh", "-c", command, program, str(profile)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        page = Page(process)
        page.start()
        yield page
        page.close()
    except BaseException:
        process.kill()
        raise
    finally:
        process.wait()
        process.stdin.close()
        process.stdout.close()

# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small WebDriver client: headless Chromium through chromedriver, with the standard library alone."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
_TIMEOUT = 120
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Browser:
    """One Chromium with a profile of its own; a context manager that leaves no process and no file behind."""

    def __init__(self, width: int = 1400, height: int = 1000, javascript: bool = True) -> None:
        self._window = f"{width},{height}"
        self._preferences = {} if javascript else {"profile.managed_default_content_settings.javascript": 2}

    def __enter__(self) -> Browser:
        self._profile = tempfile.mkdtemp(prefix="bulwark-browser-")
        self._driver = subprocess.Popen(
            ["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._base = f"http://127.0.0.1:{self._port()}"
        session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": self._capabilities()}})
        self._base += f"/session/{session['sessionId']}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._call("DELETE", "")
        finally:
            self._driver.terminate()
            self._driver.wait(timeout=_TIMEOUT)
            shutil.rmtree(self._profile, ignore_errors=True)

    def _port(self) -> int:
        """The port chromedriver says it took."""
        if self._driver.stdout is None:
            raise RuntimeError("chromedriver was started without a pipe for its output")
        for line in self._driver.stdout:
            if found := re.search(r"started successfully on port (\d+)", line):
                return int(found[1])
        raise RuntimeError("chromedriver ended before it said its port")

    def _capabilities(self) -> dict[str, Any]:
        return {
            "goog:chromeOptions": {
                "args": [*_FLAGS, f"--window-size={self._window}", f"--user-data-dir={self._profile}"],
                "prefs": self._preferences,
            },
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            self._base + path,
            method=method,
            data=json.dumps(body or {}).encode() if method == "POST" else None,
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
            return json.load(answer)["value"]

    def open(self, page: Path, fragment: str = "") -> None:
        """Load a file and wait for its load event."""
        self._call("POST", "/url", {"url": page.as_uri() + fragment})

    def run(self, script: str, *arguments: Any) -> Any:
        """The value of a function body run in the page."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def click(self, selector: str) -> None:
        """A real click, after scrolling there."""
        self._call("POST", f"/element/{self._find(selector)}/click")

    def type(self, selector: str, text: str) -> None:
        """Key presses into an element."""
        self._call("POST", f"/element/{self._find(selector)}/value", {"text": text})

    def _find(self, selector: str) -> str:
        return str(self._call("POST", "/element", {"using": "css selector", "value": selector})[_ELEMENT])

    def wait(self, script: str, *arguments: Any) -> None:
        """Wait until the expression is true."""
        end = time.monotonic() + 10
        while not self.run(f"return {script}", *arguments):
            if time.monotonic() > end:
                raise TimeoutError(f"never became true: {script}")
            time.sleep(0.05)

    def media(self, *features: tuple[str, str], kind: str = "") -> None:
        """Emulate media features such as prefers-color-scheme, or the medium print."""
        self.devtools(
            "Emulation.setEmulatedMedia",
            {"media": kind, "features": [{"name": name, "value": value} for name, value in features]},
        )

    def devtools(self, command: str, parameters: dict[str, Any] | None = None) -> Any:
        """One command of the DevTools protocol."""
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters or {}})

    def screenshot(self, path: Path, whole: bool = False) -> None:
        """A PNG of the window, or of the whole page."""
        shot = self.devtools("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": whole})
        path.write_bytes(base64.b64decode(shot["data"]))

    def pdf(self, path: Path) -> None:
        """The page as it is printed."""
        path.write_bytes(base64.b64decode(self._call("POST", "/print", {"background": True})))

    def console(self) -> list[str]:
        """The messages of the browser's console since the last call, blocked requests among them."""
        return [entry["message"] for entry in self._call("POST", "/se/log", {"type": "browser"})]

    def requests(self) -> list[str]:
        """The addresses the page asked for since the last call."""
        events = [
            json.loads(entry["message"])["message"]
            for entry in self._call("POST", "/se/log", {"type": "performance"})
        ]
        return [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]

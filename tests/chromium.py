# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium that a test can type into, by its DevTools pipe."""

import json
import os
import select
import shutil
import subprocess
import sys
import time

import pytest

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    # Whatever a page asked for would fail, and be on the console.
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
# Becomes the browser, with its pipes as files 3 and 4.
PLACE = """
import fcntl, os, sys
theirs = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3]]
os.dup2(theirs[0], 3), os.dup2(theirs[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
KEYS = {"Enter": 13, "Tab": 9}


class Chromium:
    """One page. `console` collects what went wrong on it, and its own messages."""

    def __init__(self, profile, width=1200, height=900):
        path = shutil.which("chromium") or shutil.which("chromium-browser")
        if path is None:
            pytest.fail("no chromium found: run `make setup-browser`", pytrace=False)
        # Chromium reads commands from its file 3 and answers on its file 4, each
        # message ended by a zero byte.
        theirs_in, self._commands = os.pipe()
        self._answers, theirs_out = os.pipe()

        # Not by preexec_fn, which forks: JAX may have threads in this process.
        browser = [path, *FLAGS, f"--user-data-dir={profile}"]
        pipes = (theirs_in, theirs_out)
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-c", PLACE, *map(str, pipes)),
                *browser,
                "--remote-debugging-pipe",
            ],
            pass_fds=pipes,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._buffer, self._last, self._session = b"", 0, None
        self.console, self._events = [], []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Performance.enable", timeDomain="threadTicks")
        self.resize(width, height)

    def close(self):
        """Ends the browser."""
        self._process.kill()
        self._process.wait()
        os.close(self._commands)
        os.close(self._answers)

    def call(self, method, **parameters):
        """Sends a command of the DevTools protocol and returns its result."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._last:
                assert "error" not in answer, answer
                return answer["result"]
            self._note(answer)

    def _read(self, seconds=60):
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._answers], [], [], seconds)
            assert ready, "the browser does not answer"
            part = os.read(self._answers, 1 << 20)
            assert part, "the browser has ended"
            self._buffer += part
        text, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(text)

    def _note(self, event):
        method, parameters = event.get("method"), event.get("params", {})
        self._events.append(method)
        if method == "Log.entryAdded":
            self.console.append(parameters["entry"]["text"])
        elif method == "Runtime.consoleAPICalled":
            self.console.append(str(parameters["args"]))
        elif method == "Runtime.exceptionThrown":
            self.console.append(str(parameters["exceptionDetails"]))

    def open(self, page):
        """Opens a file; returns the seconds of a core that its page took to stand.

        Parsed, scripts run, laid out: what the page's main thread did. The wall time
        would be longer wherever the machine has other work.
        """
        self._events.clear()
        self.call("Page.navigate", url=page.as_uri())
        while "Page.loadEventFired" not in self._events:
            self._note(self._read())
        self.run("document.body.offsetHeight")
        found = self.call("Performance.getMetrics")["metrics"]
        return next(m["value"] for m in found if m["name"] == "TaskDuration")

    def run(self, script):
        """Returns what a JavaScript expression evaluates to."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, script, seconds=20):
        """Waits until an expression is true."""
        end = time.monotonic() + seconds
        while not self.run(script):
            assert time.monotonic() < end, f"never true: {script}"
            time.sleep(0.05)

    def press(self, key):
        """Presses and releases a key."""
        code = {"key": key, "windowsVirtualKeyCode": KEYS[key]}
        text = {"text": "\r"} if key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **code, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **code)

    def write(self, text):
        """Types text into what has the focus."""
        self.call("Input.insertText", text=text)

    def hover(self, x, y):
        """Moves the mouse."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def resize(self, width, height, mobile=False):
        """Makes the window, or a phone's screen, of this size."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=mobile,
        )

    def picture(self, path, full=False):
        """Stores what the page looks like as PNG."""
        import base64

        found = self.call("Page.captureScreenshot", captureBeyondViewport=full)
        path.write_bytes(base64.b64decode(found["data"]))

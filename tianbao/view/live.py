"""A page in the browser that shows worms and chosen voltages while they are simulated."""

from __future__ import annotations

import functools
import json
import logging
import math
import secrets
import socketserver
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

from ..anatomy import match_neurons, neurons
from ..body.mesh import radius_profile
from ..environment import Dish, Lattice, Pillar, circles
from ..errors import ConfigError
from ..loop.loop import Loop
from ..rows import whole
from ..units import MS_PER_S
from .plots import select_neurons
from .worms import COLOURS

log = logging.getLogger(__name__)

_HOST = "127.0.0.1"
_PAGE = Path(__file__).with_name("live.html")
_PICTURE_S = 0.05  # of wall-clock time between two pictures
_SAMPLE_MS = 10.0  # of simulated time between two voltages
_SAMPLES = 3000  # kept for a browser that comes late
_MOST_NEURONS, _MOST_BROWSERS = 40, 8
_PATIENCE_S = 5.0  # for a browser that does not take what it is sent
_FAREWELL_S = 1.0  # for browsers to be told of the end
_DIGITS = 4  # of positions [mm]
_WAITING, _RUNNING = "waiting", "running"
_PRIVATE = (("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer"), ("X-Content-Type-Options", "nosniff"))
_OPEN = (_WAITING, _RUNNING)
_CANNOT = "give another port, or none for any that is free"


class Live:
    """Shows a run in the browser: bodies to scale, voltages as scrolling traces, time and speed.

    It listens on this machine only, at an address with a secret, and looks at the run without changing it. Browsers
    may come and go at any time, or not at all; the page ends with the run. For one run:

        live = tb.Live("AVB*", "DB*")
        print(live.address)
        run = sim.run(10_000.0, observers=[live])

    Attributes:
        address: to open in a browser.
        every: ticks between two looks.

    Args:
        neurons: names or globs whose soma voltages are shown, at most 40; a few of those involved in crawling if none.
        port: to listen on; any that is free if 0.
        duration: of the run [ms]; shown if given.

    Raises:
        AnatomyError: for a neuron that does not exist.
        ConfigError: for too many neurons, or a port that cannot be listened on.

    Limitations: over a network, forward the port: `ssh -L PORT:127.0.0.1:PORT machine`.
    """

    every = 1

    def __init__(self, *neurons: str, port: int = 0, duration: float | None = None) -> None:
        self._feed = _Feed(chosen(neurons), duration)
        token = secrets.token_urlsafe(16)
        try:
            self._server = _Server((_HOST, whole(port, "live", "port", high=65535)), self._feed, token)
        except OSError as error:
            reason = error.strerror or error
            raise ConfigError(f"live: cannot listen on port {port} of {_HOST} ({reason}): {_CANNOT}") from error
        self.address = f"http://{_HOST}:{self._server.server_address[1]}/?token={token}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        log.info("live view: %s", self.address)

    def __enter__(self) -> Live:
        if self._feed.state != _WAITING:
            raise ConfigError("live: this view has shown its run: make another tianbao.Live for the next")
        return self

    def __call__(self, loop: Loop) -> None:
        """Look at the loop."""
        self._feed.look(loop)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stopped = kind is not None and issubclass(kind, KeyboardInterrupt)
        self.close("stopped early" if stopped else "the run failed" if kind is not None else None)

    def close(self, said: str | None = None) -> None:
        """Tell the browsers that it is over, and stop listening.

        Args:
            said: why; whether the run finished or stopped early if None.
        """
        self._feed.end(said)
        self._server.stop()


def chosen(patterns: tuple[str, ...]) -> list[str]:
    """Names of the neurons to show.

    Raises:
        AnatomyError: for a neuron that does not exist.
        ConfigError: for more than can be shown.
    """
    every = list(neurons().index)
    found = list(match_neurons(*patterns)) if patterns else select_neurons(every)
    if len(found) > _MOST_NEURONS:
        raise ConfigError(f"live: {len(found)} neurons are too many to look at: choose at most {_MOST_NEURONS}")
    return found


class _Feed:
    """What the page is told: written by the run, read by the thread of each browser."""

    def __init__(self, names: list[str], duration: float | None) -> None:
        self.names, self.duration = names, duration
        self.changed = threading.Condition()
        self.state = _WAITING
        self.facts: dict[str, Any] = {}
        self.number = 0  # of the latest picture
        self._picture: dict[str, Any] = {}
        self._encoded: tuple[int, bytes] = (0, b"")
        # Number, time and voltages; appended and copied in one go each, so that the run waits for no browser.
        self._samples: deque[tuple[int, float, np.ndarray]] = deque(maxlen=_SAMPLES)
        self._due_s, self._due_ms = 0.0, -math.inf
        self._columns: list[int] = []
        self._line = np.zeros((0, 0, 3))
        self._lattices: dict[str, Any] = {}
        self._origin = (0.0, 0.0)

    # --- the run's side

    def look(self, loop: Loop) -> None:
        """Take a sample and a picture, if they are due."""
        now = time.perf_counter()
        if self.state == _WAITING:
            self._begin(loop, now)
        if loop.time >= self._due_ms:
            self._due_ms = loop.time + _SAMPLE_MS - 1e-9
            voltages = np.array([each.brain.voltage[self._columns] for each in loop.animals])
            number = self._samples[-1][0] + 1 if self._samples else 1
            self._samples.append((number, loop.time, voltages))
        if now >= self._due_s:
            self._due_s = now + _PICTURE_S
            self._take(loop, now)

    def _begin(self, loop: Loop, now: float) -> None:
        design, body = loop.animals[0].design, loop.body
        self._columns = [design.neurons.index(name) for name in self.names]
        self._line = np.zeros((len(loop.animals), body.mesh.rings, 3))
        self._origin = (loop.time, now)
        pillars = [[each.x, each.y, each.radius, 0] for each in loop.arena.obstacles if isinstance(each, Pillar)]
        dishes = [[*each.centre, each.radius, 1] for each in loop.arena.obstacles if isinstance(each, Dish)]
        self._lattices = {"lattices": [each.described() for each in loop.arena.obstacles if isinstance(each, Lattice)]}
        self.facts = {
            "medium": loop.arena.medium.name,
            "duration": self.duration,
            "neurons": self.names,
            "worms": [{"name": f"worm {k}", "colour": COLOURS[k % len(COLOURS)]} for k in range(len(loop.animals))],
            "radius": [0.0, *radius_profile(np.linspace(0.0, 1.0, body.mesh.rings))[1:-1].round(5).tolist(), 0.0],
            "circles": pillars + dishes,
        }
        with self.changed:
            self.state = _RUNNING

    def _take(self, loop: Loop, now: float) -> None:
        lines = loop.body.midline(self._line)[..., :2].copy()
        begun, started = self._origin
        speed = (loop.time - begun) / MS_PER_S / max(now - started, 1e-9)
        picture = {"t": loop.time, "speed": speed, "lines": lines}
        if self._lattices["lattices"]:  # without end: those pillars that are near now
            picture["circles"] = circles(self._lattices, [lines[:, None]]).round(_DIGITS).tolist()
        with self.changed:
            self._picture = picture
            self.number += 1
            self.changed.notify_all()

    def end(self, said: str | None) -> None:
        """Tell every browser that there is nothing more to come."""
        with self.changed:
            if self.state in _OPEN:
                last = self._samples[-1][1] if self._samples else 0.0
                early = self.duration is not None and last < self.duration - 2.0 * _SAMPLE_MS
                self.state = said or ("stopped early" if early else "finished")
            self.changed.notify_all()

    # --- a browser's side

    def news(self, seen: int) -> bool:
        """Whether there is something to send to a browser that has seen this picture."""
        return self.number != seen or self.state not in _OPEN

    def hello(self) -> bytes:
        """What does not change in a run."""
        return json.dumps(self.facts).encode()

    def picture(self) -> tuple[int, bytes]:
        """The latest picture, encoded once for all browsers, and its number."""
        with self.changed:
            number, picture = self.number, self._picture
            if self._encoded[0] == number:
                return self._encoded
        lines = np.where(np.isfinite(picture["lines"]), picture["lines"], 0.0).round(_DIGITS).tolist()
        text = json.dumps({**picture, "speed": round(picture["speed"], 3), "lines": lines}).encode()
        self._encoded = (number, text)
        return self._encoded

    def samples(self, since: int) -> tuple[int, bytes]:
        """Voltages [mV] after that of a number, as [time, [worm, [neuron]]], and the number of the last."""
        new = [each for each in self._samples.copy() if each[0] > since]
        count = new[-1][0] if new else since
        return count, json.dumps([[at, values.round(2).tolist()] for _, at, values in new]).encode()


class _Server(ThreadingHTTPServer):
    """Serves the page and what it is told, to whoever knows the token."""

    daemon_threads = True
    block_on_close = False  # a browser that has gone to sleep does not hold up the end of a run

    def __init__(self, address: tuple[str, int], feed: _Feed, token: str) -> None:
        self.feed, self.token = feed, token
        self.browsers = threading.Semaphore(_MOST_BROWSERS)
        self.streams: set[threading.Thread] = set()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without asking for the name of this machine, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away is no error of the run."""
        log.debug("live: a browser went away", exc_info=True)

    def stop(self) -> None:
        """Stop listening, after the browsers have been told of the end."""
        deadline = time.monotonic() + _FAREWELL_S
        for each in list(self.streams):
            each.join(max(0.0, deadline - time.monotonic()))
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    """One request of a browser."""

    server: _Server
    timeout = _PATIENCE_S

    def do_GET(self) -> None:
        """The page, or the stream of events."""
        asked = urlsplit(self.path)
        given = parse_qs(asked.query).get("token", [""])[0]
        if not secrets.compare_digest(given.encode(), self.server.token.encode()):
            self.send_error(403, "open the address that the run printed")
        elif asked.path == "/":
            self._page()
        elif asked.path == "/events":
            self._stream()
        else:
            self.send_error(404)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Requests are not printed between the lines of a run."""

    def _head(self, kind: str, *more: tuple[str, str]) -> None:
        self.send_response(200)
        for name, value in (("Content-Type", kind), *_PRIVATE, *more):
            self.send_header(name, value)
        self.end_headers()

    def _page(self) -> None:
        secret = secrets.token_urlsafe(12)
        policy = f"default-src 'none'; connect-src 'self'; script-src 'nonce-{secret}'; style-src 'nonce-{secret}'"
        self._head("text/html; charset=utf-8", ("Content-Security-Policy", policy))
        self.wfile.write(_PAGE.read_text(encoding="utf-8").replace("NONCE", secret).encode())

    def _stream(self) -> None:
        if not self.server.browsers.acquire(blocking=False):
            self.send_error(503, "too many browsers look at this run")
            return
        self.server.streams.add(threading.current_thread())
        try:
            self._head("text/event-stream")
            self._follow(self.server.feed)
        finally:
            self.server.streams.discard(threading.current_thread())
            self.server.browsers.release()

    def _follow(self, feed: _Feed) -> None:
        """Send what is new until the run ends."""
        greeted, seen, sampled = False, 0, 0
        while True:
            with feed.changed:
                feed.changed.wait_for(functools.partial(feed.news, seen), _PATIENCE_S)
                state, number = feed.state, feed.number
            if number and not greeted:
                self._send("hello", feed.hello())
                greeted = True
            if number != seen:
                seen, picture = feed.picture()
                sampled, voltages = feed.samples(sampled)
                self._send("voltages", voltages)
                self._send("picture", picture)
            elif state in _OPEN:
                self._send(state, b"{}")  # also shows whether the browser is still there
            if state not in _OPEN:
                self._send("voltages", feed.samples(sampled)[1])
                self._send("end", json.dumps(state).encode())
                return

    def _send(self, event: str, data: bytes) -> None:
        self.wfile.write(b"event: " + event.encode() + b"\ndata: " + data + b"\n\n")
        self.wfile.flush()

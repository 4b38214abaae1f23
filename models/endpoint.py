"""One address of a model server: how much it takes now, and whether it is alive.

Time is a monotonic clock's, in seconds, and always handed in.
"""

from dataclasses import dataclass

START = 16.0  # calls at once before anything is known of a server
FAILURES_TO_OPEN = 10  # failures in a row, with no answer between, that count as dead
LIMITED_TO_PAUSE = 3  # refusals for rate in a row that hold up every call, not only the refused
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 15.0  # between two probes of a dead server


@dataclass(slots=True, eq=False)
class Endpoint:
    """The state of one server: an adaptive limit of calls at once, and a circuit breaker.

    The limit is judged after each round of as many calls as it allows. It doubles until the server
    first says that it is too much, and grows by one from then on; a round in which a share of the
    calls was too much takes half that share off it (the rule of DCTCP), so that it settles just
    above what the server takes, and a refusal now and then costs little. A server that fails
    again and again counts as dead: one probe at a time is let through, ever more rarely.
    """

    url: str
    ceiling: int
    limit: float = START
    busy: int = 0
    failing_since: float | None = None
    trouble: str = ""
    epitaph: str | None = None
    resumes_at: float = 0.0
    broken: bool = False
    _probing: bool = False
    _probes: int = 0
    _failures: int = 0
    _refusals: int = 0
    _eager: bool = True
    _round_began: float = 0.0
    _round_calls: int = 0
    _round_refused: int = 0

    def __post_init__(self) -> None:
        self.limit = min(START, self.ceiling)

    def ready(self, now: float) -> bool:
        """Whether a call may start."""
        if now < self.resumes_at or self.epitaph:
            return False
        return not self._probing if self.broken else self.busy < int(self.limit)

    @property
    def load(self) -> float:
        """Share of the limit that is in use."""
        return self.busy / self.limit

    def start(self) -> bool:
        """Take a place; returns whether the call is the probe of a dead server."""
        self.busy += 1
        self._probing = self.broken
        return self.broken

    def leave(self, probe: bool) -> None:
        """Give the place back."""
        self.busy -= 1
        if probe:
            self._probing = False

    def answered(self, now: float, started: float) -> None:
        """A call was answered: the server lives, and may take more."""
        self.failing_since = None
        self.broken = False
        self._failures = self._refusals = self._probes = 0
        self._count(now, started, refused=False)

    def refused(
        self, now: float, started: float, wait: float, give_up_after_seconds: float
    ) -> None:
        """The server said that it was too much (429, 503), and to come back after `wait`."""
        self._note(now, "rate limited")
        self._count(now, started, refused=True)
        self._refusals += 1
        # One refusal among answers is that call's own; refusals only, or a long wait, are all's.
        if self._refusals >= LIMITED_TO_PAUSE or wait > give_up_after_seconds:
            self.resumes_at = max(self.resumes_at, now + wait)

    def failed(self, now: float, started: float, kind: str, *, absent: bool, probe: bool) -> None:
        """A call failed; `absent` when there was no server to talk to."""
        self._note(now, kind)
        self._failures += 1
        # A lost call hangs now and then; several in a row are what an overloaded server does.
        if kind == "timed out" and self._failures > 1:
            self._count(now, started, refused=True)
        opens = not self.broken and (absent or self._failures >= FAILURES_TO_OPEN)
        if opens or probe:
            self.broken = True
            self.resumes_at = now + min(LONGEST_PAUSE, FIRST_PAUSE * 2**self._probes)
            self._probes += 1

    def _note(self, now: float, kind: str) -> None:
        self.trouble = kind
        if self.failing_since is None:
            self.failing_since = now

    def _count(self, now: float, started: float, *, refused: bool) -> None:
        """Add a call to the round, and judge the limit when the round is full."""
        if started < self._round_began:
            return  # it was sent under an earlier limit and says nothing of this one
        self._round_calls += 1
        self._round_refused += refused
        if self._round_calls < int(self.limit):
            return
        share = self._round_refused / self._round_calls
        if share:
            self._eager = False
            self.limit = max(1.0, self.limit * (1 - share / 2))
        elif self.busy >= 0.9 * int(self.limit):  # only a limit that is used has proved itself
            self.limit = min(self.ceiling, self.limit * 2 if self._eager else self.limit + 1)
        self._round_began, self._round_calls, self._round_refused = now, 0, 0

    def status(self, now: float) -> str | None:
        """What holds up calls, and when it is tried again; None when nothing does."""
        if self.epitaph:
            return self.epitaph.splitlines()[0]
        if self.failing_since is None or not (self.broken or now < self.resumes_at):
            return None
        wait = f"next try in {self.resumes_at - now:.0f} s" if now < self.resumes_at else "trying"
        return f"{self.describe(now)}, {wait}"

    def describe(self, now: float) -> str:
        """What is wrong, since when and why."""
        if self.epitaph:
            return self.epitaph
        since = now if self.failing_since is None else self.failing_since
        state = "dead" if self.broken else "failing"
        return f"{self.url} {state} for {now - since:.0f} s ({self.trouble})"

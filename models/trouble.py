"""How an exchange with a model server fails."""


class Trouble(Exception):
    """A failure that may pass; `kind` is a short stable phrase that reports count."""

    def __init__(self, kind: str, *, absent: bool = False) -> None:
        super().__init__(kind)
        self.kind = kind
        self.absent = absent


class Limited(Trouble):
    """The server asks for patience: `wait` seconds, or None where it does not say."""

    def __init__(self, kind: str, wait: float | None) -> None:
        super().__init__(kind)
        self.wait = wait


class Rejected(Exception):
    """The server will not answer this: its HTTP `status`, and its words as the message."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status

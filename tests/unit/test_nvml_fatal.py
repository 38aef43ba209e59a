from pd_exporter.nvml.fatal import LASTING_SECONDS, Fatal


class Watch:
    """Fatal with a clock that is set, and what it said."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.said: list[str] = []
        self.fatal = Fatal(self.said.append, lambda: self.now)

    def read(self, *, unknown: bool, after: float = 0) -> None:
        self.now += after
        self.fatal.attempt("read", unknown=unknown)

    def enumerate(self, *, unknown: bool, after: float = 0) -> None:
        self.now += after
        self.fatal.attempt("enumerate", unknown=unknown)


def test_unknown_is_the_end_once_it_has_lasted() -> None:
    watch = Watch()
    watch.read(unknown=True)
    watch.read(unknown=True, after=LASTING_SECONDS - 1)
    assert watch.said == []

    watch.read(unknown=True, after=1)

    assert "new container" in watch.said[0]


def test_one_good_attempt_begins_the_wait_anew() -> None:
    watch = Watch()
    watch.read(unknown=True)
    watch.read(unknown=False, after=LASTING_SECONDS - 1)
    watch.read(unknown=True, after=1)
    watch.read(unknown=True, after=LASTING_SECONDS - 1)

    assert watch.said == []


def test_devices_that_can_be_listed_but_not_read_are_the_end_too() -> None:
    watch = Watch()
    for _ in range(7):
        watch.read(unknown=True, after=10)
        watch.enumerate(unknown=False)

    assert len(watch.said) == 1


def test_the_end_is_told_once() -> None:
    watch = Watch()
    watch.fatal.mismatch("One.")
    watch.fatal.mismatch("Two.")
    watch.enumerate(unknown=True)
    watch.enumerate(unknown=True, after=LASTING_SECONDS)

    assert len(watch.said) == 1
    assert "One." in watch.said[0]

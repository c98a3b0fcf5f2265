"""What the console shows of itself. Pages and commands are few, so that their labels are."""

from telemetry.metrics import ServiceMetrics

PAGE = "the console's pages"
PAGE_SECONDS = (.01, .02, .05, .1, .2, .5, 1, 2, 5, 10)


class ConsoleMetrics(ServiceMetrics):
    """One console serves all pipelines of a home."""

    def __init__(self) -> None:
        super().__init__()
        self.pages = self.histogram("console_page_seconds", "Reading and laying out a page.", PAGE_SECONDS, page=PAGE)
        self.failures = self.counter("console_page_failures", "Pages that could not be shown.", page=PAGE,
                                     reason="kinds of failures that the console knows")
        self.logins = self.counter("console_logins", "Attempts to log in.", outcome="how an attempt may end")
        self.orders = self.counter("console_orders", "Commands that were run for an operator.",
                                   command="commands that the console may run", outcome="how a command may end")


METRICS = ConsoleMetrics()
"""The one of this process: pages are functions that Dash calls, and are handed nothing."""

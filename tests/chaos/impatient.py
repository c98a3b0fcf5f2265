"""The score service with a delivery timeout of some seconds, so that a test need not wait for minutes.

Run: python -m tests.chaos.impatient
"""

from functools import partial

from stream_apps import score
from stream_apps.delivery import Delivery

DELIVERY_SECONDS = 8.0


def main() -> None:
    """Run the service; its own timeout is meant for longer outages."""
    assert score.Delivery is Delivery, "the score service takes its delivery from elsewhere: adapt this module"
    score.Delivery = partial(Delivery, message_timeout=DELIVERY_SECONDS)  # type: ignore[assignment,misc]
    score.main()


if __name__ == "__main__":
    main()

"""Events that could not be scored: look at them, and send them again once the cause is gone."""

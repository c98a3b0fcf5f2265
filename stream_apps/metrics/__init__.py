"""What each service on Faust shows of itself: one module a service, and those that several have in common."""

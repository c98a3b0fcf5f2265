"""What could not be scored, and why? `reading` has the letters, `replaying` sends them again, `page` shows them."""

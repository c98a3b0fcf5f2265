"""Which model serves, how did it come to that, and what shall the trainer do? `reading` gathers announcements,
decisions and orders, `orders` are what an operator may say, `page` shows all that."""

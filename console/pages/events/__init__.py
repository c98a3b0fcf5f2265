"""What was said about an event, by which model and why? `reading` searches the record, `page` shows what it finds and
has it explained."""

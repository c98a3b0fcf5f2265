"""Does the loop turn? `reading` gathers what is known now, `loop` draws it, `page` keeps it live."""

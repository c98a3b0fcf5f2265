"""What did the trainer decide, and on what grounds? `reading` puts alerts and decisions together by incident,
`decision` shows one of them, `page` the list and what is chosen."""

"""What does the pipeline go by, and what if it went by something else? `reading` has the versions, `draft` makes a
change and says what is wrong with it, `preview` tries it on recent history, `form` and `page` show all that."""

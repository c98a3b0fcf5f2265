"""The web console: what the pipelines of a home do, why, and what an operator may do about it.

In the order of a request: `entry` (token, session, what the browser is told), `app` (the frame, which page an address
shows), `site` (what every page has at hand), `pages/`. Pages read through `store` (PostgreSQL, as the reader), `logs`
(models and versions, folded) and `live` (Kafka's offsets), and act through `orders`: the project's own commands, so
that what they check and put on record stays in one place. `parts/` is what pages are made of.

**A page is added** in `console/pages/<slug>/`:

1. `reading.py`: structs, and one function that gathers them of a `Visit` in one `with visit.site.store.reading(...)`.
   Every query has a LIMIT and an index below it; messages are decoded with `schemas.codec.decode`, never by hand.
2. `page.py`: `layout(visit)` gives everything below the title, out of `parts`: `panel`, `figure_tile`, `facts`,
   `nothing_yet`, `table`, `moment`, `count`, `figure`. `callbacks(app, site)` makes it answer: a callback begins with
   `visit = site.visit(path, search)` (States `url.pathname`, `url.search`) and returns
   `guarded(SLUG, lambda: ...)`, so that a database that is away is a state of the page and not an error.
   Ids begin with the slug.
3. What changes the system is a `parts.confirm.Action`: its `act` runs `visit.site.orders.run("models", "pause",
   str(visit.file), *by(visit, reason))`; `layout` shows its `button()` and `dialog()`, `callbacks` calls its own.
4. `NAME = Page(slug=..., title=..., layout=..., callbacks=...)` goes into `PAGES` of `console/pages/__init__.py`, in
   the order of the navigation; `tests/console/test_pages.py` then opens it, and looks for errors, empty panels and
   what axe finds.

Whatever was said in a topic is text on a page: component properties and table values only, never Markdown or HTML.
"""

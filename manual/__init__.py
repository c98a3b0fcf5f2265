"""The pages of docs/reference, written from the code by `python -m manual`. Not part of the distribution.

pages.py lists them. A page is a function without arguments that returns Markdown: configuration.py and messages.py
from the JSON Schemas, topics.py from the table of topics, commands.py from the command line, environment.py from what
reads variables, http_doors.py from the OpenAPI documents, metrics.py from what services promise to export, tables.py
from the SQL, listing.py from a folder's pages.
"""

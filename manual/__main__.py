"""Write every page anew."""

from manual.pages import DOCS, pages

for name, text in pages().items():
    (DOCS / name).parent.mkdir(exist_ok=True)
    (DOCS / name).write_text(text, "utf-8")

"""The form: a field a key, and the text for those who rather write."""

from typing import Any

import dash_mantine_components as dmc
from dash import html

from console.pages.configuration.draft import Key, fixed_keys, live_keys
from console.pages.configuration.reading import InForce
from console.parts.panel import facts

FORM, TEXT = "form", "text"
TITLES = {
    "drift": ("Alarms", "How many false alarms are allowed, and how large a change must be to matter."),
    "windows": ("Windows", "How many rows a window needs to be judged."),
    "retraining": ("Retraining", "When to train, on what, and for how long."),
    "gate": ("Gate", "What a candidate must show before it serves."),
    "rollout": ("Rollout", "How a promoted model comes to serve."),
}


def field_id(table: str, name: str) -> dict[str, str]:
    """Id of a key's field."""
    return {"type": "configuration-key", "table": table, "name": name}


def form(found: InForce) -> dmc.Tabs:
    """Fields and text, one at a time."""
    keys = list(live_keys(found.pipeline))
    groups = [_group(table, [key for key in keys if key.table == table]) for table in TITLES]
    fixed = html.Details([html.Summary("What never changes under this name"),
                          facts(*((f"{key.table}.{key.name}", key.text or "-") for key in fixed_keys(found.pipeline)))],
                         className="fixed")
    text = dmc.Textarea(id="configuration-text", value=found.text, autosize=True, minRows=12, maxRows=30,
                        label="The pipeline file (TOML), as it will be applied", classNames={"input": "code"},
                        debounce=400)
    return dmc.Tabs([
        dmc.TabsList([dmc.TabsTab("Form", value=FORM), dmc.TabsTab("As text", value=TEXT)], mb="md"),
        dmc.TabsPanel([dmc.SimpleGrid(groups, cols={"base": 1, "md": 2}, spacing="md"), fixed], value=FORM),
        dmc.TabsPanel(text, value=TEXT),
    ], id="configuration-tabs", value=FORM)


def _group(table: str, keys: list[Key]) -> Any:
    title, explanation = TITLES[table]
    fields = [dmc.TextInput(id=field_id(key.table, key.name), label=f"{table}.{key.name}", value=key.text, debounce=400,
                            size="sm") for key in keys]
    return dmc.Fieldset([html.P(explanation, className="note"), dmc.SimpleGrid(fields, cols=2, spacing="sm")],
                        legend=title)

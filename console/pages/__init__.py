"""The pages, in the order of the navigation."""

from console.pages.configuration.page import CONFIGURATION
from console.pages.dead_letters.page import DEAD_LETTERS
from console.pages.drift.page import DRIFT
from console.pages.events.page import EVENTS
from console.pages.incidents.page import INCIDENTS
from console.pages.models.page import MODELS
from console.pages.overview.page import OVERVIEW

PAGES = (OVERVIEW, DRIFT, MODELS, INCIDENTS, EVENTS, DEAD_LETTERS, CONFIGURATION)

import pytest
from msgspec.structs import replace

from streams.errors import ScenarioError
from streams.scenarios.campaign_templates import campaign_templates, public_wordings
from streams.scenarios.chance import dice
from streams.scenarios.corpora import Prompt
from streams.scenarios.prompt_table import SIMULATION_KEY, SIMULATION_KEY_ID
from streams.scenarios.scenario import Campaign, Templates
from streams.sketch import Sketcher
from streams.sketch.catalogue_builder import build_catalogue, public_templates

CAMPAIGN = Campaign(
    name="c", accounts=1, requests_per_day=(1, 1), shape="coding", roles=("legit",)
)
NAMES = ("simple-evals-math", "mt-bench-single")


def test_made_up_wordings_are_as_many_as_asked_for() -> None:
    three = replace(CAMPAIGN, templates=Templates(count=3))
    assert len({each.prefix for each in campaign_templates(three, dice(1))}) == 3


def test_public_wordings_draw_nothing() -> None:
    public = replace(CAMPAIGN, templates=Templates(public=NAMES))
    chance = dice(1)
    assert campaign_templates(public, chance) == public_wordings(NAMES)
    assert chance.random() == dice(1).random()


def test_a_template_that_does_not_ship_is_named() -> None:
    with pytest.raises(ScenarioError, match="'nobody'; distillwatch catalogue show"):
        public_wordings((*NAMES, "nobody"))


def test_public_wordings_have_the_keys_of_the_catalogue() -> None:
    key = [(SIMULATION_KEY_ID, SIMULATION_KEY)]
    catalogue = build_catalogue(public_templates(), key)
    known = {entry.name: entry.keys["head"] for entry in catalogue.entries
             if "head" in entry.keys}  # fmt: skip
    sketcher = Sketcher(SIMULATION_KEY, SIMULATION_KEY_ID)
    for name, wording in zip(NAMES, public_wordings(NAMES), strict=True):
        said = wording.fill(
            Prompt("What is the area of a circle of radius 3?"), dice(1)
        )
        head = sketcher.sketch(said.text).head
        assert f"{head:016x}" in known[name]

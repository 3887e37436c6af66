"""Each role goes to the agent that can most of it; the rest it is taught, and whom nobody can be is made."""

from pathlib import Path

import pytest

from llmos.agents import agent_of
from llmos.kernel.orchestration import load_orchestration
from llmos.project.staff import staff
from llmos.volumes import parse, written

ALL = {
    "planner": ["planning", "memory"],
    "checker": ["checking", "sensing"],
    "recorder": ["memory", "reporting"],
}
RULES = load_orchestration()


def agents(**capabilities):
    found = {}
    for name, able in capabilities.items():
        front = {"name": name, "description": "One of a test.", "capabilities": able, "version": "1.9"}
        found[name] = agent_of(parse(written(front, f"You are {name}."), Path(f"/volume/agents/{name}.md")))
    return found


def posts(kinds, project="yard", rules=RULES, **capabilities):
    return {post.role: post for post in staff(kinds, agents(**capabilities), project, rules)}


def read(post):
    return agent_of(parse(post.source, Path(f"/volume/agents/{post.agent}.md")))


def test_an_agent_that_can_all_of_it_is_copied_into_the_project():
    found = posts(["place"], **ALL, driver=["navigation", "driving"])
    assert {role: (post.agent, post.how) for role, post in found.items()} == {
        "planner": ("planner", "copied"),
        "checker": ("checker", "copied"),
        "recorder": ("recorder", "copied"),
        "place": ("driver", "copied"),
    }
    copy = read(found["place"])
    assert (copy.origin, copy.project, copy.evolved_from, copy.text) == (
        "copied",
        "yard",
        "driver",
        "You are driver.",
    )


def test_one_that_can_part_of_it_is_taught_the_rest():
    post = posts(["object"], **ALL, driver=["navigation", "driving"])["object"]
    assert (post.agent, post.how, round(post.share, 2)) == ("driver_object", "evolved", 0.67)
    taught = read(post)
    assert set(RULES.object) <= set(taught.capabilities)
    assert (taught.evolved_from, taught.version, taught.origin) == ("driver", "1.10", "evolved")


def test_one_that_nobody_can_be_is_made():
    post = posts(["behaviour"], **ALL)["behaviour"]
    assert (post.agent, post.how) == ("behaviour_agent", "created")
    made = read(post)
    assert set(RULES.behaviour) <= set(made.capabilities)
    assert made.tools


@pytest.mark.parametrize(
    ("copy_at", "evolve_at", "how"), [(0.5, 0.5, "copied"), (0.8, 0.5, "evolved"), (0.9, 0.7, "created")]
)
def test_the_rules_say_from_which_share_on(copy_at, evolve_at, how):
    rules = RULES.model_copy(update={"copy_at": copy_at, "evolve_at": evolve_at})
    assert posts(["object"], rules=rules, **ALL, driver=["navigation", "driving"])["object"].how == how


def test_there_are_never_fewer_agents_than_the_rules_ask_for():
    everything = sorted({one for role in ALL.values() for one in role} | {"navigation", "driving"})
    able = {"genius": everything, "sage": ["memory"], "cook": [], "clerk": ["planning", "memory"]}
    for least in (1, 2, 3, 4):
        rules = RULES.model_copy(update={"least_agents": least})
        names = {post.agent for post in posts(["place"], rules=rules, **able).values()}
        assert len({post.agent for post in staff(["place"], agents(**able), "yard", rules)}) >= least
        assert names


def test_what_the_project_has_is_taken_first_and_not_written_again():
    own = agents(driver=["navigation", "driving"], **ALL)
    staffed = {post.role: post for post in staff(["place"], own, "yard", RULES)}
    mine = {
        post.agent: agent_of(parse(post.source, Path(f"/v/{post.agent}.md"))) for post in staffed.values()
    }
    again = staff(["place"], own | mine, "yard", RULES)
    assert {(post.how, post.source) for post in again} == {("there", "")}


def test_needs_of_the_file_choose_who_drives():
    able = {**ALL, "driver": ["navigation", "driving"], "looker": ["vision", "driving"]}
    rules = RULES.model_copy(update={"place": ("vision", "driving")})
    assert posts(["place"], **able)["place"].agent == "driver"
    assert posts(["place"], rules=rules, **able)["place"].agent == "looker"

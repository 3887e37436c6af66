"""The tools over the Model Context Protocol, by its own client and a server in a process of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from click.testing import CliRunner
from tests.own_rules import own_rules

from llmos.blackbox import read_record
from llmos.cli import cli
from llmos.state import runs_folder
from llmos.tools import Session, Toolbox, all_tools

pytest.importorskip("mcp")
from mcp import Client, StdioServerParameters, stdio_client


def with_client(work: Callable[[Client], Any], *options: str) -> None:
    """Do something with a client of a server that is started for it."""
    command = ["-m", "llmos", "mcp", "--arena", "empty", "--kernel", "rule", *options]
    server = StdioServerParameters(
        command=sys.executable, args=command, env={"LLMOS_HOME": os.environ["LLMOS_HOME"]}
    )

    async def connected() -> None:
        async with Client(stdio_client(server)) as client:
            await work(client)

    anyio.run(connected)


def test_a_client_lists_and_calls_the_tools() -> None:
    async def work(client: Client) -> None:
        listed = {one.name: one for one in (await client.list_tools()).tools}
        assert set(listed) == set(all_tools())
        assert listed["hal_rotate"].input_schema == all_tools()["hal_rotate"].schema
        assert listed["hal_get_distance"].annotations.read_only_hint
        assert listed["hal_rotate"].annotations.destructive_hint
        total = await client.call_tool("calculate", {"expression": "6 * 7"})
        assert (total.is_error, total.structured_content) == (False, {"value": 42})
        turned = await client.call_tool("hal_rotate", {"angle_deg": 90})
        assert json.loads(turned.content[0].text)["pose"]["heading_deg"] == pytest.approx(90, abs=1)
        again = await client.call_tool("hal_rotate", {"angle_deg": -90})
        assert json.loads(again.content[0].text)["pose"]["heading_deg"] == pytest.approx(0, abs=1)
        for name, arguments, why in (
            ("hal_move_forward", {"distance_cm": 500}, "distance_cm"),
            ("hal_speak", {"text": "hello"}, "no speaker"),
            ("hal_reset_emergency", {}, "only a person"),
            ("sudo", {}, "no tool 'sudo'"),
        ):
            refused = await client.call_tool(name, arguments)
            assert refused.is_error
            assert why in refused.content[0].text

    with_client(work)
    (run,) = runs_folder().glob("*-mcp")
    calls = list(read_record(run / "record.jsonl").all("call"))
    assert [line["name"] for line in calls[:3]] == ["calculate", "hal_rotate", "hal_rotate"]
    assert {line["by"] for line in calls} == {"person"}


def test_a_client_s_calls_have_an_end() -> None:
    """Where nobody says which, as the kernel's config has it."""
    own_rules("config", served_calls=1)

    async def work(client: Client) -> None:
        for left in (True, False):
            told = await client.call_tool("calculate", {"expression": "6 * 7"})
            assert told.is_error is not left, told
        assert "served_calls" in told.content[0].text

    with_client(work)


def test_ctrl_c_ends_a_server_whose_client_says_nothing() -> None:
    """It does not wait for the client's next line."""
    command = [sys.executable, "-m", "llmos", "mcp", "--arena", "empty", "--kernel", "rule"]
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            told = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
            print(json.dumps(told), file=server.stdin, flush=True)
            assert '"id":1' in server.stdout.readline()
            server.send_signal(signal.SIGINT)
            assert server.wait(timeout=30) == 130
        finally:
            server.kill()


def test_the_exports_are_the_tools() -> None:
    toolbox = Toolbox(Session())
    for form, wanted in (("openai", toolbox.openai()), ("mcp", toolbox.mcp())):
        printed = CliRunner().invoke(cli, ["mcp", "--export", form])
        assert json.loads(printed.output) == wanted
    listed = CliRunner().invoke(cli, ["mcp", "--list"]).output.splitlines()
    assert [line.split()[0] for line in listed] == list(toolbox.tools)


def test_an_agent_s_server_offers_its_tools_alone() -> None:
    from llmos.volumes import Change, Tier, Volumes

    text = "---\nname: adder\ndescription: Adds numbers up.\ntools: [calculate]\n---\nYou add.\n"
    Volumes().write(Tier.USER, "agents/adder.md", text, Change("tester", "Hire an adder."))
    printed = CliRunner().invoke(cli, ["mcp", "--agent", "adder", "--list"])
    assert [line.split()[0] for line in printed.output.splitlines()] == ["calculate"]

"""`llmos doctor`: one screen about this machine."""

import json

import click

from llmos.doctor import Check, examine, healthy


@click.command(epilog="Example: llmos doctor --json | jq .ok")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Say what is installed, what is missing, and what to do about it.

    Exits 0 when all is there that the virtual robot needs with `--kernel rule`, else 1.
    """
    checks = examine()
    ok = healthy(checks)
    if as_json:
        click.echo(json.dumps({"ok": ok, "checks": [check._asdict() for check in checks]}, indent=2))
    else:
        for check in checks:
            click.echo(_line(check))
        click.echo("\nready to drive" if ok else "\nnot ready: do what stands beside each FAIL")
    ctx.exit(0 if ok else 1)


def _line(check: Check) -> str:
    mark = "ok" if check.ok else "FAIL" if check.required else "-"
    remedy = f"\n{'':24}-> {check.remedy}" if check.remedy else ""
    return f"  {mark:<4}  {check.name:<16}{check.found}{remedy}"

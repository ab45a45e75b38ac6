"""`comeo relay announce` and `find`: who is in the local network."""

from __future__ import annotations

import asyncio

import click

from tileserver.cli.signals import ended_by_signal


@click.command()
@click.argument("url")
def announce(url: str) -> None:
    """Say in the local network that the origin or relay at URL is there, until the command is ended.

    URL is the address that others reach it by, as http://192.168.1.5:8080/.
    """
    from tileserver.relay.lan import announced, index_of

    index = index_of(url)

    async def until_ended() -> None:
        async with announced(url, index):
            click.echo(f"{url} is announced as {index.name or index.origin}, key {index.key}")
            await asyncio.Event().wait()

    with ended_by_signal():
        asyncio.run(until_ended())


@click.command()
@click.option("--seconds", type=click.FloatRange(0.5, 60), default=3.0, show_default=True, help="To listen.")
def find(seconds: float) -> None:
    """List the origins and relays that are announced in the local network, with their keys.

    Compare a key with the one that its operator has published before it is put into RELAY.toml.
    """
    from tileserver.relay.lan import find as found_in

    found = found_in(seconds)
    if not found:
        click.echo("nothing is announced in this network; where a server is, run `comeo relay announce URL`")
    for each in found:
        click.echo(f"{each.address}  {each.problem}")
        if (index := each.index) is not None:
            click.echo(f"{'':8}{index.name or index.origin}, {index.last:,} lines, key {index.key}")

"""`comeo account`: a link where there is no mail, and an account that is ended."""

from __future__ import annotations

from click.testing import CliRunner

from tests.tileserver.people import House
from tileserver.cli.account import account


def comeo(made: House, *arguments: str) -> str:
    answer = CliRunner().invoke(account, [*arguments, "--database", str(made.database.path)])
    assert answer.exit_code == 0, answer.exception
    return answer.output


def test_a_link_is_printed_and_an_account_is_ended(server_of: House) -> None:
    link = comeo(server_of, "link", "me@example.org").strip()
    client = server_of.app.test_client()
    assert client.post(link[link.index("/account") :]).status_code == 303
    assert client.get("/account").get_json()["account"]["email"] == "me@example.org"
    assert "me@example.org" in comeo(server_of, "list")
    comeo(server_of, "disable", "me@example.org")
    assert client.get("/account").get_json() == {"account": None}
    lines = [line.split()[2:] for line in comeo(server_of, "audit").splitlines()]
    assert lines[0] == ["account:1", "account.entered", "account:1", "by=link"]
    assert lines[1] == ["-", "account.disabled", "account:1"]
    again = comeo(server_of, "link", "me@example.org").strip()
    assert client.post(again[again.index("/account") :]).status_code == 404

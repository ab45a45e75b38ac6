"""A learned model that this version lacks: fetched where RELAY.toml allows it, and refused if it is bad."""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnxruntime", reason="the networks of later models are run by onnxruntime")

from click.testing import CliRunner
from flask.testing import FlaskClient

from comeo.archive import open_archive
from comeo.codecs import get_codec
from comeo.codecs.learned import Model, models
from comeo.codecs.learned.folder import MOST_BYTES
from comeo.codecs.learned.model import DEFAULT, find_model
from comeo.compression import compress
from comeo.errors import MissingModelError
from comeo.settings import CodecSettings, configure
from tests.scenes import array_group, array_scene, landscape
from tests.tileserver.listening import listening
from tests.tileserver.relay.hostile import files_of, ok, serving
from tests.tileserver.relay.keeping.relayed import Relayed, copy_of
from tests.tileserver.relay.origins import FINE, FolderOrigin
from tileserver.cli.main import cli
from tileserver.relay.errors import UnreachableError, UpstreamError
from tileserver.relay.feed.layout import MODELS
from tileserver.relay.feed.trust import Trust
from tileserver.relay.keeping.journal import Journal
from tileserver.relay.keeping.models import missing
from tileserver.relay.upstream import HttpUpstream

SAMPLES = Path(__file__).resolve().parents[4] / "samples"
Server = Callable[..., FlaskClient]
PICTURE = "/collections/optical/items/later/preview.png?bands=B04&max_size=64"


def later_model(comment: bytes = b"of a later version") -> Model:
    """The default model as another file, which no version has."""
    content = io.BytesIO(models()[DEFAULT].content)
    with zipfile.ZipFile(content, "a") as file:
        file.comment = comment
    return Model("later", content.getvalue())


@pytest.fixture(scope="module")
def model() -> Model:
    return later_model()


@pytest.fixture(scope="module")
def later(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive that was coded with it, where it was known."""
    folder = tmp_path_factory.mktemp("later")
    (folder / f"{model.digest}.zip").write_bytes(model.content)
    group = array_group(landscape(2, 96, 96, 3), names=["B04", "B08"], transform=FINE)
    scene = array_scene(group, scene_id="later", collection="optical")
    with pytest.MonkeyPatch.context() as patch:
        module = importlib.import_module("comeo.compression.compress")
        patch.setattr(module, "codec_for", lambda *_: get_codec("learned", model=model))
        configure(CodecSettings(models=folder))
        try:
            return compress(scene, folder / "later.zarr.zip", step=60.0)
        finally:
            configure(None)


@pytest.fixture
def relay(later: Path, model: Model, tmp_path: Path) -> Relayed:
    """A relay of an origin with that archive, and the model."""
    (tmp_path / "origin").mkdir()
    origin = FolderOrigin(tmp_path / "origin")
    origin.put(copy_of(later, origin, "later"), model=model.digest)
    (origin.root / MODELS).mkdir(parents=True)
    (origin.root / MODELS / model.digest).write_bytes(model.content)
    found = Relayed(origin, tmp_path)
    define(found)
    return found


def define(relay: Relayed, *, models: bool = True, **parts: str) -> None:
    relay.define(**parts)
    if models:
        path = relay.root / "RELAY.toml"
        path.write_text(path.read_text().replace("[origin]\n", "[origin]\nmodels = true\n"))


def told(relay: Relayed, *, allowed: bool = True) -> list[dict[str, Any]]:
    journal = Journal(relay.root / "relay/relay.sqlite")
    try:
        return [*missing(journal, relay.relay.folder, {relay.origin.uuid} if allowed else ())]
    finally:
        journal.close()


@pytest.fixture
def known(relay: Relayed) -> Iterator[None]:
    """The settings of a server that looks for models where the relay puts them."""
    configure(CodecSettings(models=relay.root / "relay/models"))
    yield
    configure(None)


def test_a_scene_is_drawn_when_its_model_has_come(
    relay: Relayed, model: Model, later: Path, server: Server, known: None
) -> None:
    define(relay, models=False)
    relay.run()
    assert not (relay.root / "relay/models").exists()
    (relay.root / "relay/models").mkdir()
    client = server(relay.root / "relay/archives", models=relay.root / "relay/models")
    for _ in range(2):
        refused = client.get(PICTURE)
        assert refused.status_code == 503
        assert "was coded with the model" in refused.text
        assert "COMEO_MODELS" in refused.text
    assert client.get("/stac/collections/optical/items/later").status_code == 200  # it is not left out
    (one,) = told(relay, allowed=False)
    assert (one["sha256"], one["scenes"]) == (model.digest, 1)
    assert one["detail"].endswith("models = true of the origin in RELAY.toml")
    define(relay)
    relay.run()
    assert relay.notes[-1] == f"the model {model.digest[:12]}… is here"
    assert not told(relay)
    assert client.get(PICTURE).status_code == 200
    given = relay.broken().given
    relay.run()
    assert relay.broken().given == given
    with open_archive(later) as archive:
        level = archive.groups["r10m"].levels[0]
        assert archive.decode_blocks(level, [(0, 0)])[0].any()


@pytest.mark.parametrize("allowed", [True, False])
def test_a_disk_brings_a_model_where_that_is_allowed(relay: Relayed, model: Model, allowed: bool) -> None:
    define(relay, models=allowed, url="http://127.0.0.1:9/")  # nothing comes by a line
    disk = shutil.copytree(relay.origin.root, relay.root / "disk")
    done = CliRunner().invoke(cli, ["relay", "import", str(relay.root / "RELAY.toml"), str(disk)])
    assert done.exit_code == 0, done.output
    assert (relay.root / "relay/archives").is_dir()
    assert bool(list((relay.root / "relay").glob(f"models/{model.digest}.zip"))) is allowed
    status = CliRunner().invoke(cli, ["relay", "status", "--json", str(relay.root / "RELAY.toml")])
    assert [each["sha256"] for each in json.loads(status.output)["models"]] == [model.digest][allowed:]


@pytest.mark.parametrize("name", ["", "../model", "0" * 63, "abc"])
def test_what_an_archive_says_is_no_path(name: str, model: Model, tmp_path: Path) -> None:
    keep(tmp_path, model)
    (tmp_path / "model.zip").write_bytes(model.content)
    (tmp_path / "models").mkdir()
    configure(CodecSettings(models=tmp_path / "models"))
    try:
        assert find_model(name) is None
    finally:
        configure(None)


def test_it_is_off_by_default_and_said(relay: Relayed) -> None:
    define(relay, models=False)
    relay.run()
    result = CliRunner().invoke(cli, ["relay", "status", str(relay.root / "RELAY.toml")])
    assert "1 scenes cannot be drawn without" in result.output
    assert "install a newer version of comeo" in result.output


def test_without_its_model_an_archive_says_what_it_needs(later: Path, model: Model) -> None:
    with (
        open_archive(later) as archive,
        pytest.raises(MissingModelError, match="cannot be decoded: it was coded with"),
    ):
        archive.decode_blocks(archive.groups["r10m"].levels[0], [(0, 0)])
    assert find_model(model.digest) is None


def alike(model: Model) -> Model:
    """Another model file whose SHA-256 begins with the same two bytes, by which payloads name it."""
    stem = later_model(bytes(8)).content[:-8]
    begun = hashlib.sha256(stem)
    for number in range(1 << 22):
        whole = begun.copy()
        whole.update(number.to_bytes(8, "big"))
        if whole.digest()[:2] == model.tag and whole.hexdigest() != model.digest:
            return Model("alike", stem + number.to_bytes(8, "big"))
    raise AssertionError("there is none")


def decoded(archive: Path, folder: Path) -> Any:
    configure(CodecSettings(models=folder))
    try:
        with open_archive(archive) as opened:
            return opened.decode_blocks(opened.groups["r10m"].levels[0], [(0, 0)])[0]
    finally:
        configure(None)


def keep(folder: Path, model: Model) -> Path:
    path = folder / f"{model.digest}.zip"
    path.write_bytes(model.content)
    return path


def test_no_other_model_decodes_what_it_did_not_code(later: Path, model: Model, tmp_path: Path) -> None:
    other = keep(tmp_path, alike(model))
    with pytest.raises(MissingModelError, match="which this version of comeo doesn't have"):
        decoded(later, tmp_path)
    keep(tmp_path, model)
    with pytest.raises(MissingModelError, match="two models in the folder of models begin with"):
        decoded(later, tmp_path)
    other.unlink()
    assert decoded(later, tmp_path).any()
    keep(tmp_path, alike(models()[DEFAULT]))
    assert decoded(later, tmp_path).any()


def test_files_of_models_are_compared_with_their_names(later: Path, model: Model, tmp_path: Path) -> None:
    (tmp_path / f"{model.digest}.zip").write_bytes(model.content[:-1])
    with pytest.raises(MissingModelError, match="is damaged, its SHA-256 is not its name; remove it"):
        decoded(later, tmp_path)
    with pytest.raises(MissingModelError, match=r"put the model into the folder of models"):
        decoded(later, tmp_path / "absent")


@pytest.mark.parametrize("of", ["package", "folder"])
def test_a_model_that_payloads_could_not_name_is_not_fetched(relay: Relayed, model: Model, of: str) -> None:
    if of == "folder":
        (relay.root / "relay/models").mkdir(parents=True)
        keep(relay.root / "relay/models", alike(model))
    digest = (alike(models()[DEFAULT]) if of == "package" else model).digest
    relay.origin.documents[0]["model"] = digest
    relay.origin.write()
    relay.run()
    (one,) = told(relay)
    assert "another model that is here goes by the same tag" in one["problem"]
    assert relay.broken().given == relay.path("later").stat().st_size


def bad(model: Model, fault: str) -> bytes:
    """A model file with something wrong."""
    if fault == "no ZIP":
        return b"model" * 1000
    if fault == "too large":
        return model.content + bytes(MOST_BYTES)
    out = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if fault == "packed" else zipfile.ZIP_STORED
    with zipfile.ZipFile(io.BytesIO(model.content)) as old, zipfile.ZipFile(out, "w", kind) as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "model.json" and fault == "format":
                data = json.dumps({**json.loads(data), "format": 9}).encode()
            if name == "pass_0_0.onnx" and fault == "no ONNX":
                data = b"\x08\x07 no graph" * 20
            if name == "tables.npy" and fault == "tables":
                data = data[:-4] + bytes(4)
            if not (name == "pass_2_0.onnx" and fault == "missing"):
                new.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("no ZIP", "it is no model that this version of comeo can run: File is not a zip file"),
        ("too large", "it has more than 16777216 bytes"),
        ("packed", "its entries are not stored as they are"),
        ("format", "is of format 9; this program reads 1 and 2"),
        ("no ONNX", "it is no model that this version of comeo can run"),
        ("tables", "the frequency tables are damaged"),
        ("missing", "There is no item named 'pass_2_0.onnx'"),
        ("other bytes", "its bytes are others than its SHA-256 says"),
        ("absent", "has no relay/v1/models"),
    ],
)
def test_a_model_that_is_not_as_it_should_be_is_refused(
    relay: Relayed, model: Model, server: Server, fault: str, reason: str
) -> None:
    content = model.content[:-1] + b"!" if fault == "other bytes" else bad(model, fault)
    digest = model.digest if fault in ("other bytes", "absent") else hashlib.sha256(content).hexdigest()
    (relay.origin.root / MODELS / model.digest).unlink()
    if fault != "absent":
        (relay.origin.root / MODELS / digest).write_bytes(content)
    relay.origin.documents[0]["model"] = digest
    relay.origin.write()
    relay.run()
    (one,) = told(relay)
    assert one["detail"].startswith("what the origin gives is not used")
    assert reason in one["problem"]
    document = server(relay.root / "relay/archives", relay_definition=relay.root / "RELAY.toml").get(
        "/relay/v1/status"
    )
    assert [sorted(each) for each in json.loads(document.data)["models"]] == [["detail", "scenes", "sha256"]]
    result = CliRunner().invoke(cli, ["relay", "status", str(relay.root / "RELAY.toml")])
    assert reason in result.output
    assert relay.path("later").exists()  # its bytes come all the same
    assert not [*(relay.root / "relay/models").iterdir()]
    given = relay.broken().given
    relay.run()
    relay.time.now += timedelta(hours=1)
    relay.run()
    if fault not in ("too large", "absent"):
        assert relay.broken().given > given  # another process does not know that it was refused


def test_a_cut_loses_nothing_of_a_model(relay: Relayed, model: Model) -> None:
    line = relay.broken()
    pieces = 0

    def cut(_: int, data: bytes) -> bytes:
        nonlocal pieces
        pieces += 1
        return data[:1000] if pieces % 3 == 0 else data

    line.on_read = cut
    for _ in range(300):
        relay.run()
        relay.time.sleep(60)
        if not told(relay) and relay.path("later").exists():
            break
    assert (relay.root / f"relay/models/{model.digest}.zip").read_bytes() == model.content
    assert line.given == len(model.content) + relay.path("later").stat().st_size


def test_a_model_comes_within_the_quota(relay: Relayed, model: Model) -> None:
    define(relay, link='[link]\ndaily = "500 kB"')
    days = 0
    while not (relay.root / f"relay/models/{model.digest}.zip").exists():
        relay.run()
        journal = Journal(relay.root / "relay/relay.sqlite")
        assert max(wire for wire, _ in journal.spent().values()) < 500_000
        journal.close()
        days += 1
        relay.time.now += timedelta(days=1)
        relay.time.seconds += 86_400
        assert days < 10
    assert days > 2


def test_a_server_sends_parts_of_a_model(relay: Relayed, model: Model) -> None:
    size = len(model.content)
    files = files_of(relay.origin.root)

    def read(answer: Any, start: int, stop: int, digest: str = model.digest) -> bytes:
        with serving(answer) as url:
            upstream = HttpUpstream(url, Trust(None, relay.origin.key.text))
            try:
                return b"".join(upstream.part_of_model(digest, start, stop))
            finally:
                upstream.close()

    for start, stop in ((0, 1000), (1000, 100_000), (size - 5, size + 5), (size, size + 9)):
        assert read(files, start, stop) == model.content[start:stop]
    with pytest.raises(UpstreamError, match="answers 404"):
        read(files, 0, 1000, "0" * 64)
    with pytest.raises(UpstreamError, match="sends no ranges"):
        read(lambda path, _: files(path, {}), 0, 1000)
    for stated in ("bytes 7-15/16", "bytes 3-15/16", "bytes 3-11/*", ""):
        with pytest.raises(UpstreamError, match=r"which bytes|other bytes"):
            read(lambda *_, it=stated: ok(b"x" * 9, "206 Partial Content", Content_Range=it), 3, 12)
    with pytest.raises(UpstreamError):
        read(lambda *_: ok(b"x" * 90, "206 Partial Content", Content_Range="bytes 3-11/16"), 3, 12)
    cut = ok(model.content[:9000], "206 Partial Content", Content_Range=f"bytes 0-8999/{size}")
    with pytest.raises(UnreachableError):
        read(lambda *_: [cut[0], cut[1][:5000]], 0, 9000)


def test_an_origins_server_sends_parts_of_a_model(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "origin").mkdir()
    shutil.copy(SAMPLES / "S2_romania_2016-08-25.zarr.zip", tmp_path / "origin")
    client = server(tmp_path / "origin", relay=True, relay_folder=tmp_path / "private", threads=2)
    with listening(client.application) as port:
        upstream = HttpUpstream(f"http://127.0.0.1:{port}/", Trust(None))
        (digest,) = upstream.index().models
        content = upstream.model(digest)
        size = len(content)
        for start, stop in ((0, 70_000), (size - 9, size), (size - 9, size + 9), (size, size + 9)):
            assert b"".join(upstream.part_of_model(digest, start, stop)) == content[start:stop]
        upstream.close()

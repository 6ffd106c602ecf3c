"""Models and code that would run or read what they should not (hazards 11 and 12)."""

import ast
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

from ml.decode import OnnxDecoder
from ml.encode import OnnxEncoder
from ml.models import ModelError, load_model
from tests.support.onnx_models import decoder_of, encoder_of, install

ROOT = Path(__file__).parents[2]
SECRET = "the administrator's secret"
# Modules that make objects, and so run code, out of a file.
UNPICKLING = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
RISKY_CALLS = {"yaml.load", "yaml.unsafe_load", "yaml.full_load", "pd.read_pickle", "pandas.read_pickle"}


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.bin"
    path.write_bytes(SECRET.encode().ljust(64, b"\0"))
    return path


def external_tensor(location: str, name: str = "stolen") -> TensorProto:
    tensor = numpy_helper.from_array(np.zeros(16, np.float32), name)
    set_external_data(tensor, location, offset=0, length=64)
    tensor.ClearField("raw_data")
    return tensor


def leaking(tensor: TensorProto, as_attribute: bool = False) -> onnx.ModelProto:
    """An encoder with one output more: what stands in the tensor."""
    model = encoder_of()
    if as_attribute:
        model.graph.node.append(helper.make_node("Constant", [], ["leak"], value=tensor))
    else:
        model.graph.initializer.append(tensor)
        model.graph.node.append(helper.make_node("Identity", [tensor.name], ["leak"]))
    model.graph.output.append(helper.make_tensor_value_info("leak", TensorProto.FLOAT, [16]))
    return model


@pytest.mark.parametrize("place", ["absolute", "beside", "above"])
@pytest.mark.parametrize("as_attribute", [False, True])
def test_weights_in_other_files_are_refused(
    tmp_path: Path, secret: Path, place: str, as_attribute: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models" / "m"
    location = {"absolute": str(secret), "beside": "secret.bin", "above": "../../secret.bin"}[place]
    folder.mkdir(parents=True)
    (folder / "secret.bin").write_bytes(secret.read_bytes())
    monkeypatch.chdir(folder)
    model = load_model(install(folder, encoder=leaking(external_tensor(location), as_attribute)))

    with pytest.raises(ModelError, match="keeps its weights in other files"):
        OnnxEncoder(model)


def test_weights_in_other_files_are_refused_in_the_decoder_too(tmp_path: Path) -> None:
    model = decoder_of()
    model.graph.initializer.append(external_tensor("secret.bin"))
    folder = install(tmp_path / "m", decoder=model)

    with pytest.raises(ModelError, match="keeps its weights in other files"):
        OnnxDecoder(load_model(folder))


@pytest.mark.parametrize(
    "spelling",
    [
        b"\x0a\x08location\x12\x0asecret.bin",  # key, then value: as every writer does
        b"\x12\x0asecret.bin\x0a\x08location",  # value first
        b"\x0a\x88\x00location\x12\x0asecret.bin",  # the key's length with a needless byte
        b"\x0a\x88\x80\x80\x00location\x12\x0asecret.bin",
        b"\x8a\x00\x08location\x12\x0asecret.bin",  # the field's number with a needless byte
    ],
)
def test_no_spelling_of_an_outside_place_gets_past(tmp_path: Path, secret: Path, spelling: bytes) -> None:
    """Protobuf allows several spellings of one message; all name the same file to the runtime."""
    usual = external_tensor("secret.bin")
    del usual.external_data[1:]
    entry = usual.external_data[0].SerializeToString()
    written = leaking(usual).SerializeToString()
    assert written.count(entry) == 1
    content = _respelt(leaking(usual), spelling)
    again = onnx.load_from_string(content)  # still the same model to a reader
    assert again.graph.initializer[-1].external_data[0].key == "location"
    assert again.graph.initializer[-1].external_data[0].value == "secret.bin"
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "secret.bin").write_bytes(secret.read_bytes())

    with pytest.raises(ModelError, match="keeps its weights in other files"):
        OnnxEncoder(load_model(install(folder, encoder=content)))


def test_the_danger_is_real_without_the_check(tmp_path: Path, secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The runtime itself reads the file beside it, from bytes too when it stands in the working directory."""
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "secret.bin").write_bytes(secret.read_bytes())
    monkeypatch.chdir(folder)
    content = leaking(external_tensor("secret.bin")).SerializeToString()
    (folder / "model.onnx").write_bytes(content)

    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    (leaked,) = session.run(["leak"], {"image": np.zeros((1, 3, 1024, 1024), np.float32)})

    assert SECRET.encode() in leaked.tobytes()


@pytest.mark.parametrize(
    "name", ["../other/encoder.onnx", "/etc/hostname", "sub/encoder.onnx", "..", "", "encoder\x00"]
)
def test_a_manifest_that_names_files_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    install(tmp_path / "other")
    folder = install(tmp_path / "m")
    said = json.loads((folder / "model.json").read_text())
    said["files"]["encoder"]["path"] = name
    (folder / "model.json").write_text(json.dumps(said))

    with pytest.raises(ModelError, match="Install it again"):
        load_model(folder)


def test_a_link_to_a_file_elsewhere_is_refused(tmp_path: Path) -> None:
    elsewhere = install(tmp_path / "other") / "encoder.onnx"
    folder = install(tmp_path / "m")
    (folder / "encoder.onnx").unlink()
    (folder / "encoder.onnx").symlink_to(elsewhere)

    with pytest.raises(ModelError, match="lacks its file"):
        load_model(folder)


def test_a_checkpoint_with_code_in_it_is_never_run(tmp_path: Path) -> None:
    """A pickle that would touch a file when it is loaded, in the place of the encoder."""
    canary = tmp_path / "canary"
    harmful = b"cposix\nsystem\n(S'touch " + str(canary).encode() + b"'\ntR."
    ran = subprocess.run([sys.executable, "-c", f"import pickle; pickle.loads({harmful!r})"], check=False)
    assert ran.returncode == 0
    assert canary.exists()
    canary.unlink()
    folder = install(tmp_path / "m", encoder=harmful)

    with pytest.raises(ModelError, match="not a model that can be run"):
        OnnxEncoder(load_model(folder))

    assert not canary.exists()


def test_a_model_whose_hash_is_not_the_manifests_never_reaches_the_runtime(tmp_path: Path) -> None:
    folder = install(tmp_path / "m")
    (folder / "encoder.onnx").write_bytes(encoder_of().SerializeToString() + b"\x00")

    with pytest.raises(ModelError, match="damaged"):
        load_model(folder)


def test_the_shipped_files_are_those_of_their_manifest() -> None:
    for folder in sorted((ROOT / "fixtures" / "models").iterdir()):
        model = load_model(folder)
        for file in (model.encoder, model.decoder):
            assert hashlib.sha256(file.path.read_bytes()).hexdigest() == file.sha256


def test_no_code_makes_objects_out_of_files() -> None:
    """No pickle, no numpy pickles, and torch.load only for weights, anywhere in the project's Python."""
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    found = []
    for name in listed.stdout.split():
        if not (ROOT / name).exists():
            continue
        found += [f"{name}:{line}: {what}" for line, what in _unpickling(ast.parse((ROOT / name).read_text()))]

    assert len(listed.stdout.split()) > 100
    assert found == []


def test_the_lint_sees_what_it_is_for() -> None:
    harmful = ["import pickle", "from torch import load", "import numpy as n", "n.load('a', allow_pickle=True)"]
    harmful += ["import a.joblib", "import yaml", "yaml.load(x)", "yaml.safe_load(x)", "import torch"]
    harmful += ["torch.load(x, weights_only=True)", "torch.load(x)", "torch.load(x, weights_only=False)"]
    harmful += ["torch.jit.load(x)", "torch.hub.load(x)", "import torch as t", "t.nn"]

    found = [line for line, _ in _unpickling(ast.parse("\n".join(harmful)))]

    assert found == [1, 2, 4, 7, 11, 12, 13, 14, 15]


def test_the_server_never_loads_torch() -> None:
    """What the web server and the worker import at their start, with all that decodes and encodes."""
    program = (
        "import sys, django; django.setup(); import backend.config.asgi, backend.encoding.jobs, backend.live.routing;"
        "import ml.decode, ml.encode, ml.models, ml.vectorize; sys.exit('torch' in sys.modules)"
    )
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}

    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=env, check=False).returncode == 0


def _unpickling(tree: ast.AST) -> list[tuple[int, str]]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names if alias.name.split(".")[0] in UNPICKLING]
            found += [(node.lineno, "torch renamed") for name in node.names if name.name == "torch" and name.asname]
        elif isinstance(node, ast.ImportFrom):
            names = {alias.name for alias in node.names}
            if (node.module or "").split(".")[0] in UNPICKLING or (node.module == "torch" and "load" in names):
                found.append((node.lineno, str(node.module)))
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            said = {word.arg: ast.unparse(word.value) for word in node.keywords}
            loads = called.startswith("torch.") and called.endswith(".load")
            if called in RISKY_CALLS or "allow_pickle" in said or (loads and said.get("weights_only") != "True"):
                found.append((node.lineno, called))
    return sorted(found)


def _respelt(model: onnx.ModelProto, entry: bytes) -> bytes:
    """The model with its external-data entry spelt as these bytes, all lengths around it made to fit."""
    tensor = model.graph.initializer.pop()
    del tensor.external_data[:]
    spelt = tensor.SerializeToString() + b"\x6a" + bytes([len(entry)]) + entry  # field 13: external_data
    graph = model.graph.SerializeToString() + b"\x2a" + _varint(len(spelt)) + spelt  # field 5: initializer
    model.ClearField("graph")
    return model.SerializeToString() + b"\x3a" + _varint(len(graph)) + graph  # field 7: graph


def _varint(number: int) -> bytes:
    pieces = []
    while number >= 128:
        pieces.append(number & 127 | 128)
        number >>= 7
    return bytes([*pieces, number])

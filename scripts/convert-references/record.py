"""Records what llama.cpp's own converter makes of the small checkpoints of the tests.

    CONVERT_CHECKPOINTS=FOLDER npx vitest run --project in-process test/unit/convert-families.test.ts
    pip install torch transformers sentencepiece safetensors numpy
    python scripts/convert-references/record.py FOLDER test/fixtures/convert-references.json

The first command writes the checkpoints. Each is converted to every type; keys are recorded as they are and whatever
is long as the beginning of its SHA-256. llama.cpp's converter knows only tokenizers of released models: for the small
ones the name of the way in which they cut texts is given to it, and the hash that it computes is recorded.
"""

import hashlib
import json
import logging
import sys
import tempfile
from pathlib import Path

import numpy as np

root = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(root / "vendor/llama.cpp"))
sys.path.insert(0, str(root / "vendor/llama.cpp/gguf-py"))
import gguf  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from conversion import ModelBase, ModelType, get_model_architecture, get_model_class  # noqa: E402
from conversion.base import TextModel  # noqa: E402

logging.disable(logging.CRITICAL)
types = {
    "f32": gguf.LlamaFileType.ALL_F32,
    "f16": gguf.LlamaFileType.MOSTLY_F16,
    "bf16": gguf.LlamaFileType.MOSTLY_BF16,
    "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
}
find_pre_tokenizer = TextModel.get_vocab_base_pre
probe_hash = None


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def digest_value(field: gguf.ReaderField) -> str:
    kind = field.types[0].name.lower()
    if kind == "array":
        element = field.types[1].name.lower()
        if element == "string":
            parts = [bytes(field.parts[index]) for index in field.data]
            data = b"".join(len(part).to_bytes(8, "little") + part for part in parts)
            return f"string[{len(parts)}] {digest(data)}"
        data = b"".join(field.parts[index].tobytes() for index in field.data)
        return f"{element}[{len(field.data)}] {digest(data)}"
    value = field.contents()
    if kind == "float32":
        value = float(value)
        text = repr(int(value)) if value.is_integer() and abs(value) < 1e21 else None
        return f"float32 {text}" if text else f"float32 {value.hex()}"
    return f"{kind} {json.dumps(value, ensure_ascii=False)}"


def digest_file(path: Path) -> dict:
    reader = gguf.GGUFReader(path)
    metadata = {
        key: digest_value(field) for key, field in reader.fields.items() if not key.startswith("GGUF.")
    }
    tensors = {
        tensor.name: f"{tensor.tensor_type.name} [{', '.join(str(n) for n in tensor.shape)}] "
        f"{digest(np.ascontiguousarray(tensor.data).tobytes())}"
        for tensor in reader.tensors
    }
    return {"metadata": metadata, "tensors": tensors}


def convert(folder: Path, kind: str, pre_tokenizer: str | None) -> dict:
    def name_pre_tokenizer(self, tokenizer):
        global probe_hash
        from unittest import mock

        def remember(data):
            global probe_hash
            result = hashlib.sha256(data)
            probe_hash = result.hexdigest()
            return result

        with mock.patch("conversion.base.sha256", remember):
            try:
                return find_pre_tokenizer(self, tokenizer)
            except NotImplementedError:
                return pre_tokenizer

    TextModel.get_vocab_base_pre = name_pre_tokenizer
    with tempfile.TemporaryDirectory() as output, torch.inference_mode():
        path = Path(output) / "model.gguf"
        hparams = ModelBase.load_hparams(folder, False)
        model_class = get_model_class(get_model_architecture(hparams, ModelType.TEXT))
        model_class(folder, types[kind], path).write()
        return digest_file(path)


def main() -> None:
    global probe_hash
    folders, output = Path(sys.argv[1]), Path(sys.argv[2])
    names = json.loads((folders / "pre-tokenizers.json").read_text(encoding="utf-8"))
    references = {}
    for folder in sorted(path for path in folders.iterdir() if path.is_dir()):
        probe_hash = None
        files = {kind: convert(folder, kind, names.get(folder.name)) for kind in types}
        references[folder.name] = {"probeHash": probe_hash, **files}
        print(folder.name, probe_hash)
    output.write_text(
        json.dumps({"transformers": transformers.__version__, "references": references}, indent=1, ensure_ascii=False)
        + "\n",
        encoding="utf-8",
    )


main()

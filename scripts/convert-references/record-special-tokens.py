"""Records which special tokens llama.cpp's converter finds in the cases of the tests.

    CONVERT_SPECIAL_TOKENS=FOLDER npx vitest run --project in-process test/unit/convert-special-tokens.test.ts
    pip install numpy pyyaml tqdm requests
    python scripts/convert-references/record-special-tokens.py FOLDER test/fixtures/convert-special-tokens.json

The first command writes the cases, one folder each.
"""

import json
import logging
import sys
from pathlib import Path

root = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(root / "vendor/llama.cpp/gguf-py"))
import gguf  # noqa: E402

logging.disable(logging.CRITICAL)
folder, output = Path(sys.argv[1]), Path(sys.argv[2])
lines = []
for case in sorted(folder.iterdir(), key=lambda path: int(path.name)):
    found = gguf.SpecialVocab(case, load_merges=False, n_vocab=500)
    lines.append(json.dumps([found.special_token_ids, found.add_special_token], ensure_ascii=False))
output.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")

"""Records the vectors that Transformers makes with the small BERT of the tests: means of the last layer, of length 1.

    CONVERT_CHECKPOINTS=FOLDER npx vitest run --project in-process test/unit/convert-families.test.ts
    pip install torch transformers
    python scripts/convert-references/record-embeddings.py FOLDER/all-MiniLM-L6-v2 test/fixtures/convert-embeddings.json
"""

import json
import sys
from pathlib import Path

import torch
from transformers import AutoModel, AutoTokenizer

texts = ["the apple", "a 33 在 p!", "The APPLE. the unknown"]
folder, output = sys.argv[1], Path(sys.argv[2])
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModel.from_pretrained(folder).eval()
references = []
for text in texts:
    with torch.no_grad():
        hidden = model(**tokenizer([text], return_tensors="pt")).last_hidden_state[0]
    vector = torch.nn.functional.normalize(hidden.mean(0), dim=0)
    references.append({"text": text, "vector": [round(value, 6) for value in vector.tolist()]})
output.write_text(json.dumps(references, ensure_ascii=False) + "\n", encoding="utf-8")

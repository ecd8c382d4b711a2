import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { startServerForTest } from '../helpers/test-server.js';

/**
 * A Python with the package openai (`pip install openai`). The project needs no Python otherwise, so without this
 * variable the tests are left out.
 */
const python = process.env.LLAMA_NATIVE_OPENAI_PYTHON ?? '';

const program = `
import json, os
from openai import OpenAI, BadRequestError, NotFoundError
from pydantic import BaseModel
from typing import Literal

client = OpenAI(base_url=os.environ["SERVER"] + "/v1", api_key="unused", max_retries=0, timeout=300)
messages = [{"role": "user", "content": "Which city is the capital of Italy?"}]
common = dict(model="smol", messages=messages, temperature=0)
seen = {"models": [model.id for model in client.models.list()]}

whole = client.chat.completions.create(**common, max_tokens=6, logprobs=True, top_logprobs=1)
seen["whole"] = whole.choices[0].message.content
seen["finish"] = whole.choices[0].finish_reason
seen["logprobs"] = len(whole.choices[0].logprobs.content)
stream = client.chat.completions.create(**common, max_tokens=6, stream=True, stream_options={"include_usage": True})
chunks = list(stream)
seen["streamed"] = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
seen["usage"] = [chunk.usage.completion_tokens for chunk in chunks if chunk.usage]

class Place(BaseModel):
    city: Literal["Rome", "Oslo"]

parsed = client.chat.completions.parse(**common, response_format=Place)
seen["parsed"] = parsed.choices[0].message.parsed.city

tools = [{"type": "function", "function": {"name": "weather", "parameters": Place.model_json_schema()}}]
choice = {"type": "function", "function": {"name": "weather"}}
asked = client.chat.completions.create(**common, tools=tools, tool_choice=choice, parallel_tool_calls=False)
call = asked.choices[0].message.tool_calls[0]
seen["call"] = [call.function.name, json.loads(call.function.arguments)["city"]]
with client.chat.completions.stream(**common, tools=tools, tool_choice=choice, parallel_tool_calls=False) as events:
    final = events.get_final_completion()
seen["streamed call"] = final.choices[0].message.tool_calls[0].function.arguments == call.function.arguments

seen["completion"] = client.completions.create(
    model="smol", prompt="The capital of France is", max_tokens=3, temperature=0).choices[0].text
seen["dimensions"] = len(client.embeddings.create(model="smol", input=["Hello"]).data[0].embedding)
for name, arguments in {"unknown": {"model": "gpt-4"}, "bad": {"max_tokens": -1}}.items():
    try:
        client.chat.completions.create(**{**common, **arguments})
    except (BadRequestError, NotFoundError) as error:
        seen[name] = [type(error).__name__, error.param, error.code]
print(json.dumps(seen))
`;

describe.runIf(python !== '')("OpenAI's own package for Python", { timeout: 300_000 }, () => {
  it('finds models, answers, streams, forms, calls, vectors and errors where it expects them', async () => {
    const { url } = await startServerForTest({ load: { threads: 1 } });
    const { stdout } = await promisify(execFile)(python, ['-c', program], {
      env: { ...process.env, SERVER: url, PYTHONIOENCODING: 'utf-8' },
    });
    const seen = JSON.parse(stdout) as Record<string, unknown>;
    expect(seen).toMatchObject({
      models: ['smol'],
      finish: 'length',
      logprobs: 6,
      streamed: seen.whole,
      usage: [6],
      parsed: expect.stringMatching(/^(Rome|Oslo)$/),
      call: ['weather', expect.stringMatching(/^(Rome|Oslo)$/)],
      'streamed call': true,
      completion: expect.stringContaining('Paris'),
      dimensions: 576,
      unknown: ['NotFoundError', 'model', 'model_not_found'],
      bad: ['BadRequestError', 'max_tokens', 'invalid_value'],
    });
  });
});

describe.runIf(python === '')("OpenAI's own package for Python", () => {
  it.skip('is tested where LLAMA_NATIVE_OPENAI_PYTHON names a Python that has it', () => {});
});

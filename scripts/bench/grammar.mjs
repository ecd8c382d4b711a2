// Measures what a grammar costs: the default model writes under a JSON schema, and as many tokens without, in turn. Of
// one sequence, where each token waits for its sampler. Takes the library as it is compiled. Prints the medians, and
// the median of the ratios of the rounds.
//
//   node scripts/bench/grammar.mjs [--rounds 5] [--tokens 128] [--threads 2] [--output file.json] [model.gguf]
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runSteps } from '../prepare.mjs';
import { median } from './statistics.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    tokens: { type: 'string', default: '128' },
    threads: { type: 'string', default: '2' },
    output: { type: 'string' },
  },
});
const maxTokens = Number(values.tokens);
const goal = 0.85;

/** So long that no answer ends before its tokens are used up. */
const jsonSchema = {
  type: 'array',
  minItems: 1000,
  items: {
    type: 'object',
    properties: {
      name: { type: 'string', maxLength: 30 },
      age: { type: 'integer', minimum: 0, maximum: 120 },
      tags: { type: 'array', items: { type: 'string', maxLength: 12 }, minItems: 1, maxItems: 3 },
    },
    required: ['name', 'age', 'tags'],
  },
};

const prompt = 'Persons as JSON, each with name, age and tags:\n';

/** Tokens per second of the answer, its first token left out. */
async function measure(model, options) {
  const settings = { maxTokens, ignoreEndOfSequence: true, temperature: 0.8, topK: 40, topP: 0.95 };
  const { usage, timings } = await model.generate(prompt, { ...settings, ...options }).result;
  if (usage.completionTokens !== maxTokens)
    throw new Error(`Expected ${maxTokens} tokens, received ${usage.completionTokens}.`);
  return timings.completionTokensPerSecond;
}

await runSteps(async () => {
  const { fetchDefaultModel } = await import('../default-model.mjs');
  const { loadModel } = await import('../../dist/index.js');
  const path = positionals[0] ?? (await fetchDefaultModel());
  const model = await loadModel(path, { threads: Number(values.threads), contextSize: maxTokens + 256 });
  const rounds = [];
  try {
    await measure(model, { seed: 0, jsonSchema }); // warms up, and reads the grammar for the first time
    for (let round = 0; round < Number(values.rounds); round++) {
      const seed = round + 1;
      // In turn, and the order changes: what else the machine does hits both alike.
      const grammarFirst = round % 2 === 1;
      const early = grammarFirst ? await measure(model, { seed, jsonSchema }) : undefined;
      const free = await measure(model, { seed });
      const held = early ?? (await measure(model, { seed, jsonSchema }));
      rounds.push({ free, held, ratio: held / free });
      process.stderr.write('.');
    }
  } finally {
    await model.close();
  }
  process.stderr.write('\n');
  const of = (what) => median(rounds.map((round) => round[what]));
  console.log(
    `${of('free').toFixed(1)} tokens/s without a grammar, ${of('held').toFixed(1)} under a JSON schema: ratio ${of('ratio').toFixed(3)}, goal ${goal}`,
  );
  if (values.output !== undefined)
    writeFileSync(values.output, `${JSON.stringify({ model: path, maxTokens, rounds }, null, 2)}\n`);
});

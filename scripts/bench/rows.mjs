// What is measured, row by row, and how good it must be. A row belongs to a group: what its group measures in one go.

const decodeRows = [
  ['1-0.5b', '0.5b', 1, 0.98],
  ['8-0.5b', '0.5b', 8, 0.98],
  ['1-41m', '41m', 1, 0.95],
  ['8-41m', '41m', 8, 0.9],
  ['1-smollm2', 'smollm2', 1, undefined],
  ['8-smollm2', 'smollm2', 8, undefined],
];

const modelTitles = { '0.5b': '0.5B Q4_0', '41m': '41M Q8_0', smollm2: 'SmolLM2 135M' };

function decodeRow([suffix, model, parallel, goal], sampled) {
  const count = parallel === 1 ? '1 sequence' : `${parallel} sequences`;
  return {
    id: `${sampled ? 'sampled' : 'greedy'}-${suffix}`,
    group: `decode-${model}`,
    model,
    parallel,
    sampled,
    title: `${sampled ? 'sampled' : 'greedy'}, ${count}, ${modelTitles[model]}`,
    reference: 'llama-batched-bench',
    unit: 'tokens/s',
    better: 'higher',
    goal: sampled && goal !== undefined ? 0.85 : goal,
  };
}

function isolatedRow(model, parallel, goal) {
  const count = parallel === 1 ? '1 sequence' : `${parallel} sequences`;
  return {
    id: `isolated-${parallel}-${model}`,
    group: `isolated-${model}`,
    model,
    parallel,
    title: `isolated, greedy, ${count}, ${modelTitles[model]}`,
    reference: 'in this process',
    unit: 'tokens/s',
    better: 'higher',
    goal,
  };
}

function addedByIsolation(id, title, goal) {
  const group = 'isolated-start';
  return {
    id,
    group,
    model: '41m',
    title,
    reference: undefined,
    unit: 'ms',
    better: 'lower',
    absolute: true,
    goal,
  };
}

function serverRow(model, figure, parallel, goal, more) {
  const requests = parallel === 1 ? '1 request' : `${parallel} requests`;
  const titles = {
    throughput: `server, ${requests}`,
    'first-token': `server, first token, ${requests}, median`,
  };
  return {
    id: `server-${figure === 'throughput' ? '' : `${figure}-`}${parallel === undefined ? '' : `${parallel}-`}${model}`,
    group: `server-${model}`,
    model,
    figure,
    parallel,
    title: `${titles[figure]}, ${modelTitles[model]}`,
    reference: 'llama-server',
    unit: figure === 'throughput' ? 'tokens/s' : 'ms',
    better: figure === 'throughput' ? 'higher' : 'lower',
    goal,
    ...more,
  };
}

const serverRows = [
  ...[1, 8, 32].map((parallel) => serverRow('0.5b', 'throughput', parallel, 1)),
  ...[8, 32].map((parallel) => serverRow('0.5b', 'first-token', parallel, parallel === 8 ? 1 : undefined)),
  serverRow('0.5b', 'shared-prefix', undefined, 0.25, {
    title: 'server, 8 cold requests with a common 700-word prefix, 0.5B Q4_0',
    unit: 's',
  }),
  serverRow('0.5b', 'memory', undefined, 1.1, {
    title: 'server, resident memory after all that, 0.5B Q4_0',
    unit: 'MB',
  }),
  ...[1, 8, 32].map((parallel) => serverRow('41m', 'throughput', parallel, parallel === 1 ? 1 : 1.4)),
  serverRow('41m', 'first-token', 8, 1),
];

/**
 * All rows. `goal` bounds the ratio of ours over the reference, from below where `better` is `higher`, else from above;
 * with `absolute` it bounds our figure itself. `unavailable` says why a row cannot be measured yet.
 */
export const rows = [
  ...decodeRows.map((row) => decodeRow(row, false)),
  ...decodeRows.map((row) => decodeRow(row, true)),
  {
    id: 'grammar-8-0.5b',
    group: 'grammar',
    model: '0.5b',
    parallel: 8,
    title: 'JSON-schema grammar, 8 sequences, 0.5B Q4_0',
    reference: 'llama-batched-bench',
    unit: 'tokens/s',
    better: 'higher',
    goal: 0.8,
  },
  {
    id: 'peer-8-0.5b',
    group: 'peer',
    model: '0.5b',
    parallel: 8,
    title: 'greedy, 8 sequences, 0.5B Q4_0',
    reference: 'node-llama-cpp',
    unit: 'tokens/s',
    better: 'higher',
    goal: 2.2,
  },
  {
    id: 'shared-prefix',
    group: 'shared-prefix',
    model: '0.5b',
    title: '8 requests with a common 700-token prefix, 0.5B Q4_0',
    reference: 'llama-server',
    unit: 's',
    better: 'lower',
    goal: 0.25,
  },
  {
    id: 'memory',
    group: 'shared-prefix',
    model: '0.5b',
    title: 'resident memory after these 8 requests',
    reference: 'llama-server',
    unit: 'MB',
    better: 'lower',
    goal: 1.05,
  },
  {
    id: 'event-loop',
    group: 'shared-prefix',
    model: '0.5b',
    title: 'event-loop delay, 99th percentile, worst of all runs',
    reference: undefined,
    unit: 'ms',
    better: 'lower',
    absolute: true,
    goal: 5,
  },
  {
    id: 'prefill-0.5b',
    group: 'prefill-0.5b',
    model: '0.5b',
    title: 'prefill, 512 tokens, 0.5B Q4_0',
    reference: 'llama-bench',
    unit: 'tokens/s',
    better: 'higher',
    goal: 0.98,
  },
  {
    id: 'prefill-smollm2',
    group: 'prefill-smollm2',
    model: 'smollm2',
    title: 'prefill, 512 tokens, SmolLM2 135M',
    reference: 'llama-bench',
    unit: 'tokens/s',
    better: 'higher',
    goal: undefined,
  },
  {
    id: 'repeated-prompt',
    group: 'repeated-prompt',
    model: '0.5b',
    title: 'first token of a repeated 2000-token prompt, 0.5B Q4_0',
    reference: 'the same, cold',
    unit: 'ms',
    better: 'lower',
    goal: 0.03,
  },
  isolatedRow('0.5b', 1, 0.97),
  isolatedRow('0.5b', 8, 0.97),
  isolatedRow('41m', 1, 0.9),
  isolatedRow('41m', 8, 0.9),
  addedByIsolation('isolated-load', 'added to a load by isolation, worst of all runs', 150),
  addedByIsolation('isolated-first-token', 'added to the first token by isolation, worst of all runs', 0.5),
  ...serverRows,
];

/** The rows whose id is, or begins with, one of the given names; all without names. */
export function selectRows(names) {
  for (const name of names) {
    if (rows.some(({ id }) => id.startsWith(name))) continue;
    throw new Error(
      `No row begins with ${JSON.stringify(name)}. Rows: ${rows.map(({ id }) => id).join(', ')}`,
    );
  }
  return names.length === 0 ? rows : rows.filter(({ id }) => names.some((name) => id.startsWith(name)));
}

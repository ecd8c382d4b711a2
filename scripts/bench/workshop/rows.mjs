// What is measured of the model workshop, and how good it must be. A row's meaning is that of ../rows.mjs.

const checkpointTitles = { smollm2: 'SmolLM2 135M', large: '1 GB' };

/** Both are read and written; `cp` alone leaves the bytes in memory, where `convert` brings them to the disk. */
const copies = [
  ['', 'cp, flushed'],
  ['-unflushed', 'cp'],
];

function convertRows([checkpoint, type]) {
  return copies.map(([suffix, reference]) => ({
    id: `convert-${checkpoint}-${type}${suffix}`,
    group: `convert-${checkpoint}-${type}`,
    checkpoint,
    type,
    title: `convert a checkpoint to ${type}, ${checkpointTitles[checkpoint]}`,
    reference,
    unit: 'MB/s',
    better: 'higher',
    goal: 0.5,
  }));
}

/** Twice the largest tensor, and 200 MB. */
const memoryGoal = Math.round((2 * 49_152 * 2048 * 2) / 1e6 + 200);

function metadataRow(id, title) {
  return { id, group: 'metadata', title, unit: 'ms', better: 'lower', absolute: true, goal: 20 };
}

export const rows = [
  {
    id: 'quantize',
    group: 'quantize',
    title: 'quantize SmolLM2 135M, F16 to Q4_K_M, flushed',
    reference: 'llama-quantize',
    unit: 's',
    better: 'lower',
    goal: 1.05,
  },
  ...[
    ['smollm2', 'bf16'],
    ['smollm2', 'q8_0'],
    ['large', 'bf16'],
    ['large', 'q8_0'],
  ].flatMap(convertRows),
  {
    id: 'convert-memory',
    group: 'convert-large-q8_0',
    title: 'most memory of a conversion to q8_0, 1 GB',
    unit: 'MB',
    better: 'lower',
    absolute: true,
    goal: memoryGoal,
  },
  metadataRow('metadata-median', 'metadata of 4.4 GB, 152 000 tokens: median call'),
  metadataRow('metadata-first', 'metadata of 4.4 GB, 152 000 tokens: first call, median of 7 processes'),
  {
    id: 'requantize',
    group: 'requantize',
    title: 'requantize GPTQ with act-order to Q8_0, packed weights',
    reference: 'one thread',
    unit: 'MB/s',
    better: 'higher',
    goal: undefined,
  },
];

/** The rows whose id begins with one of the names; all without names. */
export function selectWorkshopRows(names) {
  for (const name of names) {
    if (rows.some(({ id }) => id.startsWith(name))) continue;
    throw new Error(
      `No row begins with ${JSON.stringify(name)}. Rows: ${rows.map(({ id }) => id).join(', ')}`,
    );
  }
  return names.length === 0 ? rows : rows.filter(({ id }) => names.some((name) => id.startsWith(name)));
}

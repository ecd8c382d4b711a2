// The figures of docs/gptq.md: errors of each mapping on the real weights of a GGUF model, and the speed of repacking.
//
//     npm run compile && node scripts/gptq-figures.mjs model.gguf
import { open } from 'node:fs/promises';
import { convertTensorRows } from '../dist/convert/tensors/convert-rows.js';
import { tensorTypeByName } from '../dist/gguf/tensor-types.js';
import { readGgufHeader, resolveDefaultModel } from '../dist/index.js';
import { getAddon } from '../dist/native/addon.js';

const path = process.argv[2] ?? (await resolveDefaultModel());
const chosen = /^blk\.(0|15)\.(attn_q|attn_output|ffn_up|ffn_down)\.weight$/;

const halfOf = async (values) => {
  const bytes = new Uint8Array(values.buffer);
  const back = await convertTensorRows(
    'F16',
    'F32',
    await convertTensorRows('F32', 'F16', bytes, values.length),
    values.length,
  );
  return new Float32Array(back.buffer, back.byteOffset, values.length);
};

/** Quantizes by rounding to the nearest; with act-order, groups are runs of a shuffled order of the inputs. */
async function quantize(matrix, outputs, inputs, { bits, groupSize, symmetric, actOrder }) {
  const size = groupSize === -1 ? inputs : groupSize;
  const groupCount = Math.ceil(inputs / size);
  const groups = new Int32Array(inputs);
  for (let place = 0; place < inputs; place++)
    groups[actOrder ? (place * 37 + 11) % inputs : place] = Math.floor(place / size);
  const most = 2 ** bits - 1;
  const low = new Float32Array(groupCount * outputs);
  const high = new Float32Array(groupCount * outputs);
  for (let output = 0; output < outputs; output++) {
    for (let input = 0; input < inputs; input++) {
      const at = groups[input] * outputs + output;
      const value = matrix[output * inputs + input];
      low[at] = Math.min(low[at], value);
      high[at] = Math.max(high[at], value);
    }
  }
  const ranges = low.map(
    (value, at) => (symmetric ? 2 * Math.max(-value, high[at]) : high[at] - value) / most || 1,
  );
  const scales = await halfOf(ranges);
  const zeros = Uint8Array.from(scales, (scale, at) =>
    symmetric ? 2 ** (bits - 1) : Math.min(most, Math.round(-low[at] / scale)),
  );
  const weights = new Uint32Array((inputs * bits * outputs) / 32);
  const perWord = 32 / bits;
  let error = 0;
  let sum = 0;
  for (let output = 0; output < outputs; output++) {
    for (let input = 0; input < inputs; input++) {
      const at = groups[input] * outputs + output;
      const value = matrix[output * inputs + input];
      const number = Math.min(most, Math.max(0, Math.round(value / scales[at]) + zeros[at]));
      weights[Math.floor(input / perWord) * outputs + output] |= number << ((input % perWord) * bits);
      error += (scales[at] * (number - zeros[at]) - value) ** 2;
      sum += value ** 2;
    }
  }
  return { layer: { bits, inputs, outputs, weights, scales, zeros, groups }, error, sum };
}

async function convertLayer(layer, type, threads = 1) {
  const { id, blockSize, blockBytes } = tensorTypeByName(type);
  const target = new Uint8Array((layer.inputs / blockSize) * blockBytes * layer.outputs);
  return getAddon().convertGptqRows(layer, id, 0, target, threads);
}

async function readMatrices() {
  const header = await readGgufHeader(path);
  const file = await open(path);
  const matrices = [];
  for (const { name, type, dimensions, offset, byteSize } of header.tensors.filter(({ name }) =>
    chosen.test(name),
  )) {
    const bytes = Buffer.alloc(byteSize);
    await file.read(bytes, 0, byteSize, header.dataOffset + offset);
    const floats = await convertTensorRows(type, 'F32', bytes, dimensions[0]);
    const values = new Float32Array(floats.buffer, floats.byteOffset, floats.byteLength / 4);
    matrices.push({ name, values, inputs: dimensions[0], outputs: dimensions[1] });
  }
  await file.close();
  return matrices;
}

const cases = [
  [{ bits: 4, groupSize: 128, symmetric: true, actOrder: false }, ['Q4_0']],
  [{ bits: 4, groupSize: 128, symmetric: false, actOrder: false }, ['Q4_1', 'F16']],
  [{ bits: 4, groupSize: 32, symmetric: false, actOrder: false }, ['Q4_1']],
  [{ bits: 4, groupSize: -1, symmetric: false, actOrder: false }, ['Q4_1']],
  [{ bits: 4, groupSize: 128, symmetric: true, actOrder: true }, ['Q4_1', 'Q5_1', 'Q8_0', 'F16']],
  [{ bits: 4, groupSize: 128, symmetric: false, actOrder: true }, ['Q4_1', 'Q5_1', 'Q8_0', 'F16']],
  [{ bits: 8, groupSize: 128, symmetric: true, actOrder: false }, ['Q8_0']],
  [{ bits: 8, groupSize: 128, symmetric: false, actOrder: false }, ['Q8_0', 'F16']],
  [{ bits: 8, groupSize: 128, symmetric: true, actOrder: true }, ['Q8_0', 'F16']],
];
const matrices = await readMatrices();
console.log(`${matrices.length} matrices of ${path.split('/').at(-1)}`);
for (const [layout, types] of cases) {
  const sums = new Map(types.map((type) => [type, [0, 0]]));
  let error = 0;
  let sum = 0;
  for (const { values, inputs, outputs } of matrices) {
    const quantized = await quantize(values, outputs, inputs, layout);
    error += quantized.error;
    sum += quantized.sum;
    for (const type of types) {
      const measured = await convertLayer(quantized.layer, type);
      sums.get(type).forEach((_, index, list) => {
        list[index] += measured[index];
      });
    }
  }
  const shown = types.map((type) => {
    const [errors, weights] = sums.get(type);
    return `${type} ${(Math.sqrt(errors / weights) * 100).toFixed(4)} %`;
  });
  console.log(
    JSON.stringify(layout),
    `GPTQ itself ${(Math.sqrt(error / sum) * 100).toFixed(2)} %;`,
    shown.join(', '),
  );
}
// K-blocks need rows of a multiple of 256: a slice of the same weights.
for (const symmetric of [true, false]) {
  const sums = {};
  for (const { values, inputs, outputs } of matrices) {
    const width = inputs - (inputs % 256);
    const slice = Float32Array.from(
      { length: width * outputs },
      (_, at) => values[Math.floor(at / width) * inputs + (at % width)],
    );
    const { layer } = await quantize(slice, outputs, width, {
      bits: 4,
      groupSize: 128,
      symmetric,
      actOrder: true,
    });
    for (const type of ['Q4_K', 'Q5_K', 'Q6_K', 'Q8_0']) {
      const [errors, weights] = await convertLayer(layer, type);
      sums[type] ??= [0, 0];
      const total = sums[type];
      total[0] += errors;
      total[1] += weights;
    }
  }
  const shown = Object.entries(sums).map(
    ([type, [errors, weights]]) => `${type} ${(Math.sqrt(errors / weights) * 100).toFixed(4)} %`,
  );
  console.log(`act-order in rows of a multiple of 256, symmetric ${symmetric}:`, shown.join(', '));
}
const [outputs, inputs] = [11008, 4096];
const layer = {
  bits: 4,
  inputs,
  outputs,
  weights: new Uint32Array((inputs * outputs) / 8).map((_, index) => Math.imul(index, 2654435761)),
  scales: new Float32Array((inputs / 128) * outputs).fill(0.01),
  zeros: new Uint8Array((inputs / 128) * outputs).fill(8),
  groups: Int32Array.from({ length: inputs }, (_, input) => Math.floor(input / 128)),
};
for (const type of ['Q4_0', 'Q4_1', 'Q8_0', 'F16']) {
  const rates = [];
  for (let round = 0; round < 4; round++) {
    // Time of the processor: the machine may have other things to do.
    const start = process.cpuUsage();
    await convertLayer(layer, type);
    const { user, system } = process.cpuUsage(start);
    rates.push(layer.weights.byteLength / (user + system));
  }
  console.log(
    `${inputs} x ${outputs} to ${type}: ${Math.max(...rates).toFixed(0)} MB of packed weights in a second of one core`,
  );
}

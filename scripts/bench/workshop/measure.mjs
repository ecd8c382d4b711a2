// One measurement of the library in a process of its own: node measure.mjs '{"kind":"convert",...}' prints JSON.
import { median } from '../statistics.mjs';

async function timed(work) {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
}

const measurements = {
  async quantize({ input, output, threads }) {
    const { quantize } = await import('../../../dist/index.js');
    return { ms: await timed(() => quantize(input, output, { type: 'Q4_K_M', threads })) };
  },

  async convert({ folder, output, type, threads }) {
    const { convert } = await import('../../../dist/index.js');
    const ms = await timed(() => convert(folder, output, { type, threads }));
    return { ms, peakBytes: process.resourceUsage().maxRSS * 1024 };
  },

  /** The first call is that of a program which has just loaded the library. */
  async metadata({ path, calls }) {
    const { readGgufMetadata } = await import('../../../dist/index.js');
    const times = [];
    for (let call = 0; call < calls; call++) times.push(await timed(() => readGgufMetadata(path)));
    const [first, ...others] = times;
    return { first, median: others.length > 0 ? median(others) : undefined };
  },

  /** A layer of a 7B model in 4 bits, whose groups are scattered over the inputs. */
  async requantize({ threads, calls }) {
    const { getAddon } = await import('../../../dist/native/addon.js');
    const { tensorTypeByName } = await import('../../../dist/gguf/tensor-types.js');
    const [outputs, inputs, groupSize] = [4096, 4096, 128];
    const groupCount = inputs / groupSize;
    const layer = {
      bits: 4,
      inputs,
      outputs,
      weights: new Uint32Array((inputs * outputs) / 8).map((_, index) => Math.imul(index, 2654435761)),
      scales: new Float32Array(groupCount * outputs).fill(0.01),
      zeros: new Uint8Array(groupCount * outputs).fill(8),
      groups: Int32Array.from({ length: inputs }, (_, input) => ((input * 37) % inputs) % groupCount),
    };
    const { id, blockSize, blockBytes } = tensorTypeByName('Q8_0');
    const target = new Uint8Array((inputs / blockSize) * blockBytes * outputs);
    const measureWith = async (count) => {
      const times = [];
      for (let call = 0; call < calls; call++)
        times.push(await timed(() => getAddon().convertGptqRows(layer, id, 0, target, count)));
      return layer.weights.byteLength / 1000 / median(times);
    };
    return { one: await measureWith(1), all: await measureWith(threads) };
  },
};

const task = JSON.parse(process.argv[2]);
console.log(JSON.stringify(await measurements[task.kind](task)));

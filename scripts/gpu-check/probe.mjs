// One task with the addon in a process of its own, so that a crash of the native code ends this process and is
// reported; so that a GPU can be hidden from it; and so that its memory is free when it ends.
//
//   node probe.mjs '{"task": "devices", "dist": …, "output": …}'     the result goes to the file `output`, as JSON
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { median } from './compare.mjs';
import { findGpus } from './nvidia-smi.mjs';

/** English and Chinese, digits and code, so that tokens of all kinds occur. */
const text = `The harbour lies between two hills. In 1842 a storm from the north-west broke the old pier, and the town
built a new one of granite, 310 metres long, which still stands. 港口位于两座小山之间,新码头用花岗岩建成。 A keeper
writes down wind and tide twice a day: function record(wind, tide) { return { at: Date.now(), wind, tide }; } Nobody
has read these books in a hundred years, but they are kept all the same, in a dry room on the first floor.`;

const rounds = 3;
const benchedPrompt = 512;
const benchedTokens = 128;
const greedy = { temperature: 0, ignoreEndOfSequence: true };

function load(library, settings, options = {}) {
  const { model, gpuLayers, threads } = settings;
  return library.loadModel(model, {
    gpuLayers,
    contextSize: 1024,
    batchSize: 512,
    ...(threads && { threads }),
    ...options,
  });
}

const tasks = {
  /** What the addon sees of this machine. */
  async devices(library) {
    const devices = await library.getDevices();
    const log = await library.getNativeLog();
    return { devices, system: await library.getSystemInfo(), log };
  },

  /**
   * The logits of every token of a fixed text, written to `logits`: the first half evaluated as one batch, the other
   * token by token, because a GPU computes these two with different code.
   */
  async logits(library, settings) {
    const model = await load(library, settings);
    const tokens = await model.tokenize(text);
    const context = await model.createContext({ contextSize: 512 });
    const batch = Math.floor(tokens.length / 2);
    const rows = [];
    await context.eval(tokens.subarray(0, batch), { logits: 'all' });
    for (let index = 0; index < batch; index++) rows.push(await context.logits(index));
    for (const token of tokens.subarray(batch)) {
      await context.eval([token]);
      rows.push(await context.logits());
    }
    writeFileSync(settings.logits, Buffer.concat(rows.map((row) => Buffer.from(row.buffer))));
    const { vocabularySize } = model.metadata;
    await model.close();
    return { batch, tokens: tokens.length, vocabularySize };
  },

  /** Tokens a second through the public API: a prompt, and an answer from an almost empty context. */
  async speed(library, settings) {
    const model = await load(library, settings);
    await model.generate([1], { ...greedy, maxTokens: 8 }).result; // llama-bench warms up too
    const prompts = [];
    const answers = [];
    for (let round = 0; round < rounds; round++) {
      // Another beginning each time, so that nothing of it is in the KV cache yet.
      const prompt = Array.from({ length: benchedPrompt }, (_, index) => 100 + ((index + 31 * round) % 5000));
      const read = await model.generate(prompt, { ...greedy, maxTokens: 1 }).result;
      prompts.push(read.timings.promptTokensPerSecond);
      const { timings } = await model.generate([2 + round], { ...greedy, maxTokens: benchedTokens }).result;
      answers.push(timings.completionTokensPerSecond);
    }
    const { threads, metadata } = model;
    await model.close();
    return { prompt: median(prompts), generate: median(answers), threads, model: metadata.description };
  },

  /** Memory of the GPU over several rounds of load, use and close, as the driver counts it, in MiB. */
  async memory(library, settings) {
    const used = () => findGpus().reduce((sum, { usedMiB }) => sum + usedMiB, 0);
    const before = used();
    const history = [];
    let sizeBytes = 0;
    for (let round = 0; round < rounds; round++) {
      const model = await load(library, settings);
      sizeBytes = model.metadata.sizeBytes;
      await model.generate('The harbour', { ...greedy, maxTokens: 16 }).result;
      const loaded = used();
      await model.close();
      history.push({ loaded, closed: used() });
    }
    const log = (await library.getNativeLog()).filter((line) => /offloaded \d+\/\d+/.test(line));
    return { before, history, sizeBytes, offloaded: log.at(-1)?.trim() };
  },
};

const settings = JSON.parse(process.argv[2]);
const library = await import(pathToFileURL(join(settings.dist, 'index.js')).href);
writeFileSync(settings.output, JSON.stringify(await tasks[settings.task](library, settings)));

/** Options of sampling and of generations: at the ends of their ranges, beyond them, and of other types. */
import type { GenerateOptions } from '../../../lib/generate/types.js';
import type { IsolatedEngine } from '../../../lib/isolate/index.js';
import type { Model } from '../../../lib/model/model.js';
import type { ModelHandle, NativeSamplingOptions } from '../../../lib/native/addon.js';
import type { Random } from '../../../test/helpers/gguf-random.js';
import { type Json, type JsonObject, toValue } from '../json.js';
import type { FuzzKind, PreparedKind } from '../kind.js';
import { writeGenerator } from '../models.js';
import { strangeValue } from '../mutate-json.js';

/** Values that options may have: both ends, and what lies next to them. */
const values: Readonly<Record<string, readonly Json[]>> = {
  temperature: [0, 1e-7, 1e-6, 1e-3, 0.8, 100],
  dynamicTemperatureRange: [0, 1e-9, 0.5, 100],
  dynamicTemperatureExponent: [0, 1e-9, 1, 100],
  topK: [0, 1, 2, 256, 257, 258, 259, 260, 2_147_483_647],
  topP: [0, 1e-30, 0.5, 1],
  minP: [0, 1e-30, 0.5, 1],
  typicalP: [0, 1e-30, 0.5, 1],
  topNSigma: [0, 1e-30, 1, 100],
  xtcProbability: [0, 0.5, 1],
  xtcThreshold: [0, 1e-30, 0.5, 0.51, 1],
  minKeep: [0, 1, 259, 260, 2_147_483_647],
  repeatPenalty: [0.001, 1, 1.1, 100],
  repeatLastTokens: [0, 1, 2, 64, 1_048_576],
  frequencyPenalty: [-100, -0.5, 0, 100],
  presencePenalty: [-100, 0, 0.5, 100],
  dryMultiplier: [0, 0.8, 100],
  dryBase: [1, 1.75, 100],
  dryAllowedLength: [0, 1, 2, 1_048_576],
  dryLastTokens: [0, 1, 3, 64, 1_048_576],
  drySequenceBreakers: [
    [],
    ['a'],
    ['\n', ':', '"', '*'],
    ['\u4f60\u597d'],
    [' '],
    ['x'.repeat(40)],
    ['\0'],
    ['<|im_end|>'],
    Array.from({ length: 16 }, (_, index) => `b${index}`),
  ],
  mirostat: [0, 1, 2],
  mirostatTau: [0, 1e-30, 5, 20],
  mirostatEta: [0, 1e-30, 0.1, 1],
  adaptiveTarget: [0, 0.5, 1],
  adaptiveDecay: [0, 0.5, 0.99],
  logitBias: [
    {},
    { 65: 100 },
    { 65: -100, 66: 'never' },
    { 0: 'never', 258: 100 },
    { 258: 'never' },
    { 259: 1 },
    { 2147483647: 1 },
    Object.fromEntries(Array.from({ length: 259 }, (_, id) => [id, 'never'])),
  ],
  seed: [0, 1, 4_294_967_294, 4_294_967_295],
};

/** Options of a generation that a sampler does not have. */
const otherValues: Readonly<Record<string, readonly Json[]>> = {
  stop: [
    'a',
    ['a', 'bc'],
    ['\n\n', '\u4f60'],
    ['x'.repeat(5000)],
    Array.from({ length: 64 }, (_, index) => `${index}`),
    '\ud800',
  ],
  ignoreEndOfSequence: [true, false],
  addSpecial: [true, false],
  parseSpecial: [true, false],
  contextFull: ['stop', 'error', 'shift'],
  keepTokens: [0, 1, 511, 512, 2_147_483_647],
  priority: [-1000, 0, 1000],
  logprobs: [true, false, 0, 1, 20],
  speculative: [true, false],
  grammar: ['root ::= [a-z]+', 'root ::= "a"?', 'root ::= ""'],
  choice: [['a', 'b'], [''], ['a']],
};

const prompts = [
  '',
  'x',
  'Hello, hello, hello, hello',
  '<|im_start|>user\n',
  '\u4f60\u{1f600}',
  'ab'.repeat(255),
  'a'.repeat(508),
];

class SamplingKind implements PreparedKind {
  readonly #model: Model;
  readonly #engine: IsolatedEngine;
  readonly #handle: ModelHandle;

  constructor(model: Model, engine: IsolatedEngine, handle: ModelHandle) {
    this.#model = model;
    this.#engine = engine;
    this.#handle = handle;
  }

  make(random: Random): JsonObject {
    const door = random.pick(['generate', 'generate', 'sampler', 'native']);
    const known = door === 'generate' ? { ...values, ...otherValues } : values;
    const options = this.#makeOptions(random, known);
    const prompt = random.pick(prompts);
    if (door !== 'native') return { door, prompt, options };
    return { door, options: { seed: 1, ...options } };
  }

  #makeOptions(random: Random, known: Readonly<Record<string, readonly Json[]>>): JsonObject {
    const names = Object.keys(known).filter(() => random.next() < 0.25);
    const options = Object.fromEntries(names.map((name) => [name, random.pick(known[name] ?? [null])]));
    if (random.next() < 0.35) options[random.pick(Object.keys(known))] = strangeValue(random);
    return options;
  }

  async run({ door, prompt, options }: JsonObject): Promise<void> {
    const chosen = toValue(options) as GenerateOptions;
    if (door === 'generate') {
      await this.#model.generate(String(prompt), { maxTokens: 8, seed: 1, ...chosen }).result;
    } else if (door === 'sampler') {
      await this.#sample(String(prompt), chosen);
    } else {
      await this.#sampleNatively(toValue(options) as NativeSamplingOptions);
    }
  }

  async #sample(prompt: string, options: GenerateOptions): Promise<void> {
    const sampler = await this.#model.createSampler({ seed: 1, ...options });
    const context = await this.#model.createContext({ contextSize: 256, batchSize: 256 });
    try {
      await context.eval((await this.#model.tokenize(prompt)).subarray(0, 200));
      for (let step = 0; step < 3; step++) await context.eval([await context.sample(sampler)]);
    } finally {
      await context.close();
    }
  }

  /** Past the checks of the library: those of the addon itself have to do. */
  async #sampleNatively(options: NativeSamplingOptions): Promise<void> {
    const { addon } = this.#engine;
    const sampler = await addon.createSampler(this.#handle, options);
    const sizes = { contextSize: 256, batchSize: 64, sequences: 1, threads: 1 };
    const { handle } = await addon.createContext(this.#handle, sizes, () => {});
    try {
      await addon.eval(handle, Int32Array.of(65, 66, 67), 0, -1, false);
      await addon.sample(handle, sampler, -1);
    } finally {
      addon.closeSampler(sampler);
      await addon.closeContext(handle);
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#model.close(), this.#engine.close()]);
  }
}

export const samplingKind: FuzzKind = {
  name: 'sampling',
  async prepare(workplace) {
    const path = await writeGenerator(workplace);
    const engine = await workplace.startEngine();
    const options = { gpuLayers: 0, vocabOnly: false, checkTensors: false, memoryMap: true };
    const handle = await engine.addon.loadModel(path, options, engine.addon.createCancelFlag(), () => {});
    return new SamplingKind(await workplace.openModel(path), engine, handle);
  },
};

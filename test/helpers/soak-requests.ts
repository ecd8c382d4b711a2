/** Requests of every kind with random fates: what a server meets in a long life. */
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import {
  type ChatAnswer,
  type GenerateOptions,
  type Generation,
  LlamaNativeError,
  type Model,
  type SamplingOptions,
} from '../../lib/index.js';
import type { Random } from './gguf-random.js';
import { familyPrefixes, randomText } from './schedule.js';

/** Options of which a few are drawn. */
const samplingDraws: readonly ((random: Random) => SamplingOptions)[] = [
  (random) => ({ temperature: random.next() * 2 }),
  (random) => ({ topK: random.below(50) }),
  (random) => ({ topP: random.next() }),
  (random) => ({ minP: random.next() }),
  (random) => ({ typicalP: 0.1 + random.next() * 0.9 }),
  (random) => ({ topNSigma: random.next() * 3 }),
  (random) => ({ xtcProbability: random.next(), xtcThreshold: random.next() / 2 }),
  (random) => ({ repeatPenalty: 1 + random.next(), repeatLastTokens: random.below(100) }),
  (random) => ({ frequencyPenalty: random.next(), presencePenalty: random.next() }),
  (random) => ({ dryMultiplier: random.next(), dryAllowedLength: random.below(4) }),
  (random) => ({ mirostat: random.pick([1, 2] as const) }),
  (random) => ({ logitBias: { [32 + random.below(90)]: random.pick([5, -5, 'never'] as const) } }),
];

function drawOptions(random: Random): GenerateOptions {
  const sampling = random.below(2) === 0 ? { temperature: 0 } : {};
  const drawn = Array.from({ length: random.below(4) }, () => random.pick(samplingDraws)(random));
  return Object.assign(sampling, ...drawn, {
    seed: random.below(1000),
    maxTokens: 1 + random.below(random.below(10) === 0 ? 200 : 24),
    ignoreEndOfSequence: random.below(2) === 0,
    contextFull: random.pick(['stop', 'stop', 'error', 'shift']),
    priority: random.below(3),
    ...(random.below(5) === 0 && { logprobs: random.below(6) }),
    ...(random.below(5) === 0 && { stop: [randomText(random, 1), randomText(random, 2)] }),
  });
}

function drawPrompt(random: Random): string {
  const prefix = random.pick(familyPrefixes).slice(0, random.below(120));
  return prefix + randomText(random, 1 + random.below(random.below(20) === 0 ? 600 : 40));
}

/** How a request ended, in a word. */
async function endingOf(generation: Generation | ChatAnswer): Promise<string> {
  try {
    return (await generation.result).finishReason;
  } catch (error) {
    if (LlamaNativeError.isInstance(error) && allowedErrors.has(error.code)) return error.code;
    throw error;
  }
}

const allowedErrors = new Set(['ABORTED', 'PROMPT_TOO_LONG', 'CONTEXT_FULL', 'NO_TOKEN_ALLOWED']);

type Request = (model: Model, random: Random) => Promise<string>;

const runToTheEnd: Request = (model, random) =>
  endingOf(model.generate(drawPrompt(random), drawOptions(random)));

const abortBeforeStart: Request = (model, random) =>
  endingOf(model.generate(drawPrompt(random), { ...drawOptions(random), signal: AbortSignal.abort() }));

/** While it waits for its turn, while its prompt is read or while it answers: as it comes. */
const abortLater: Request = async (model, random) => {
  const controller = new AbortController();
  const options = { ...drawOptions(random), signal: controller.signal };
  const generation = model.generate(drawPrompt(random), options);
  const ending = endingOf(generation);
  if (random.below(2) === 0) for (let turns = random.below(20); turns > 0; turns--) await nextTurn();
  else await delay(random.below(12));
  controller.abort();
  return ending;
};

const leaveLoop: Request = async (model, random) => {
  const generation = model.generate(drawPrompt(random), drawOptions(random));
  let chunks = random.below(5);
  try {
    for await (const _ of generation) if (chunks-- === 0) break;
  } catch {
    // endingOf() tells it
  }
  return endingOf(generation);
};

const talk: Request = async (model, random) => {
  const chat = model.createChat({ system: randomText(random, random.below(20)), temperature: 0 });
  for (let turns = 1 + random.below(3); turns > 0; turns--) {
    await endingOf(chat.send(randomText(random, 20), { maxTokens: 1 + random.below(10) }));
  }
  return 'chat';
};

/** Nobody holds the chat or its answer any more while it is made. */
const forgetChat: Request = async (model, random) => {
  model
    .createChat()
    .send(randomText(random, 20), { maxTokens: 1 + random.below(50) })
    .result.catch(() => {});
  return 'forgotten chat';
};

const useContext: Request = async (model, random) => {
  const context = await model.createContext({ contextSize: 256, batchSize: 64 });
  const sampler = await model.createSampler({ temperature: 0 });
  const evaluation = context.eval(model.tokenizeSync(drawPrompt(random).slice(0, 200)));
  const ending = evaluation
    .then(() => context.sample(sampler))
    .then(
      () => 'context',
      (error: LlamaNativeError) => error.code,
    );
  const fate = random.below(3);
  if (fate === 0) await context.close(); // in the middle of it
  const outcome = await ending;
  if (fate === 1) await context.close(); // else it is forgotten
  if (outcome !== 'context' && outcome !== 'CLOSED') throw new Error(`A context failed with ${outcome}.`);
  return 'context';
};

const tokenize: Request = async (model, random) => {
  const texts = Array.from({ length: 1 + random.below(5) }, () => drawPrompt(random));
  const back = await model.detokenize(await model.tokenize(texts));
  if (back.join('|') !== texts.join('|')) throw new Error('Tokens are not the text they came from.');
  return 'tokens';
};

/** Each kind of request, as often as it is listed. */
const requests: readonly Request[] = [
  ...Array.from({ length: 8 }, () => runToTheEnd),
  ...Array.from({ length: 8 }, () => abortLater),
  ...Array.from({ length: 5 }, () => leaveLoop),
  abortBeforeStart,
  talk,
  talk,
  forgetChat,
  tokenize,
];

/** One request of any kind; returns how it ended. Contexts of their own are few, because they take long to make. */
export async function makeRequest(model: Model, random: Random): Promise<string> {
  const request = random.below(100) === 0 ? useContext : random.pick(requests);
  return request(model, random);
}

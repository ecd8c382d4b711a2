/** Random schedules of generations and chats: what happens in them is drawn from a seed and can be repeated. */
import { Random } from './gguf-random.js';
import { firstPrintable, printableCount } from './tiny-generator.js';

/** How a generation ends: by itself, because its loop is left after some chunks, or by its signal. */
export type Fate =
  | { readonly kind: 'finish' }
  | { readonly kind: 'leave'; readonly chunks: number }
  /** `pulses`: after how many chunks of any generation; 0 before it begins. */
  | { readonly kind: 'abort'; readonly pulses: number };

interface Step {
  /** How many chunks of any generation are waited for first, as long as anything runs. */
  readonly wait: number;
}

/** A generation: its prompt begins with a part of a family's prefix. */
export interface GenerateOperation extends Step {
  readonly kind: 'generate';
  readonly family: number;
  readonly shared: number;
  readonly tail: string;
  readonly maxTokens: number;
  readonly mayEnd: boolean;
  readonly stop?: string;
  readonly priority: number;
  /** Whether it takes part in speculation, where there is any. */
  readonly speculative: boolean;
  readonly fate: Fate;
}

/** The next message of one of the chats. */
export interface TurnOperation extends Step {
  readonly kind: 'turn';
  readonly chat: number;
  readonly text: string;
  readonly maxTokens: number;
  readonly fate: Fate;
}

/** A chat is saved and opened again in place of another one, or of itself. */
export interface RestoreOperation extends Step {
  readonly kind: 'restore';
  readonly chat: number;
  readonly into: number;
}

/** Everything comes to its end. */
export interface SettleOperation extends Step {
  readonly kind: 'settle';
}

export type Operation = GenerateOperation | TurnOperation | RestoreOperation | SettleOperation;

/** Where guesses of the next tokens come from. */
export type Speculation = 'none' | 'earlierText' | 'draftModel';

export interface Schedule {
  readonly contextSize: number;
  readonly sequences: number;
  readonly batchSize: number;
  /** Room for prefixes outside of the KV cache: none, too little for all, or more than enough. */
  readonly prefixCacheBytes: number;
  readonly speculation: Speculation;
  readonly operations: readonly Operation[];
}

export const chatCount = 3;

/** Text of printable characters. */
export function randomText(random: Random, length: number): string {
  return String.fromCharCode(...Array.from({ length }, () => firstPrintable + random.below(printableCount)));
}

/** The texts that prompts of a family have in common. */
export const familyPrefixes: readonly string[] = [1, 2, 3].map((seed) => randomText(new Random(seed), 200));

/** What the operations of a schedule have in common. */
interface Setting {
  readonly contextSize: number;
  /** Short prompts and answers, so that every sequence comes to hold one. */
  readonly brief: boolean;
}

function drawFate(random: Random): Fate {
  switch (random.below(6)) {
    case 0:
      return { kind: 'leave', chunks: 1 + random.below(4) };
    case 1:
      return { kind: 'abort', pulses: random.below(12) };
    default:
      return { kind: 'finish' };
  }
}

function drawOperation(random: Random, { contextSize, brief }: Setting): Operation {
  const wait = random.below(3) === 0 ? random.below(10) : 0;
  const choice = random.below(20);
  if (choice === 0) return { kind: 'settle', wait };
  if (choice <= 2)
    return { kind: 'restore', wait, chat: random.below(chatCount), into: random.below(chatCount) };
  const fate = drawFate(random);
  if (choice <= 6) {
    const text = randomText(random, 1 + random.below(40));
    return { kind: 'turn', wait, chat: random.below(chatCount), text, maxTokens: 1 + random.below(24), fate };
  }
  const shared = random.below(4) === 0 ? 0 : random.below(brief ? 8 : Math.min(200, contextSize - 60));
  const room = brief ? 8 : contextSize - shared;
  const tail = randomText(random, 1 + random.below(random.below(4) === 0 ? room : Math.min(30, room)));
  return {
    kind: 'generate',
    wait,
    family: random.below(familyPrefixes.length),
    shared,
    tail,
    maxTokens: 1 + random.below(brief ? 4 : random.below(5) === 0 ? 120 : 30),
    mayEnd: random.below(3) === 0,
    ...(random.below(4) === 0 && { stop: randomText(random, 1 + random.below(2)) }),
    priority: random.below(3),
    speculative: random.below(5) !== 0,
    fate,
  };
}

/** The schedule of a seed. */
export function drawSchedule(seed: number): Schedule {
  const random = new Random(seed);
  const setting: Setting = { contextSize: random.pick([256, 256, 512]), brief: random.below(4) === 0 };
  const length = (setting.brief ? 30 : 10) + random.below(30);
  return {
    contextSize: setting.contextSize,
    sequences: 1 + random.below(6),
    batchSize: random.pick([1, 64, 512]),
    prefixCacheBytes: random.pick([0, 100_000, 10_000_000]),
    speculation: random.pick<Speculation>(['none', 'none', 'earlierText', 'draftModel']),
    operations: Array.from({ length }, () => drawOperation(random, setting)),
  };
}

/**
 * A smaller schedule that fails as well: operations are dropped, halves first, then one by one, as long as it fails.
 * @param fails runs a schedule; it may have to be tried several times, since threads run as they like.
 */
export async function shrinkSchedule(
  schedule: Schedule,
  fails: (smaller: Schedule) => Promise<boolean>,
): Promise<Schedule> {
  let smallest = schedule;
  for (let length = schedule.operations.length >> 1; length >= 1; length >>= 1) {
    for (let begin = 0; begin < smallest.operations.length; ) {
      const operations = smallest.operations.toSpliced(begin, length);
      if (await fails({ ...smallest, operations })) smallest = { ...smallest, operations };
      else begin += length;
    }
  }
  return smallest;
}

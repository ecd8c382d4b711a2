import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readGgufHeader, writeGguf } from '../../lib/gguf/index.js';
import { drawChart, goalShare } from '../../scripts/bench/chart.mjs';
import { parseOptions } from '../../scripts/bench/options.mjs';
import { peerPackages } from '../../scripts/bench/peers.mjs';
import { createPrompt, createSharedPrompts } from '../../scripts/bench/prompts.mjs';
import { busyShare, measureInQuiet } from '../../scripts/bench/quiet-machine.mjs';
import { parseJsonLines } from '../../scripts/bench/reference-tools.mjs';
import { formatTable, summarizeRow } from '../../scripts/bench/results.mjs';
import { rows, selectRows } from '../../scripts/bench/rows.mjs';
import { decodeTokensPerSecond, median } from '../../scripts/bench/statistics.mjs';

const row = {
  id: 'speed',
  title: 'speed of <this>',
  reference: 'that',
  unit: 'tokens/s',
  better: 'higher',
  goal: 0.9,
};
const round = (reference: number, ours: number, busy = 0) => ({
  busy,
  reference: { speed: reference },
  library: { speed: ours },
});

describe('Decode tokens per second', () => {
  const arrivals = (times: number[]) => times.map((time) => ({ time, tokens: 1 }));

  it('count from the last first token to the first end', () => {
    // While both decode, from 200 to 400 ms, each makes a token every 100 ms.
    const early = arrivals([0, 100, 200, 300, 400]);
    const late = arrivals([200, 300, 400, 500, 600]);
    expect(decodeTokensPerSecond([early, late])).toBeCloseTo(20);
  });

  it('do not depend on the order in which the tokens of one step arrive', () => {
    const first = arrivals([0, 100, 200]);
    const second = arrivals([0.1, 100.1, 200.1]);
    expect(decodeTokensPerSecond([first, second])).toBeCloseTo(20, 1);
    expect(decodeTokensPerSecond([second, first])).toBeCloseTo(20, 1);
  });

  it('count arrivals of several tokens in full', () => {
    const coalesced = [
      { time: 0, tokens: 1 },
      { time: 100, tokens: 5 },
    ];
    expect(decodeTokensPerSecond([coalesced])).toBeCloseTo(50);
  });

  it('refuse sequences that never ran at the same time', () => {
    expect(() => decodeTokensPerSecond([arrivals([0, 10]), arrivals([10, 20])])).toThrow(/same time/);
  });
});

describe('The median', () => {
  it('is the middle value, or the mean of the two in the middle', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([4, 1, 3, 100])).toBe(3.5);
    expect(() => median([])).toThrow(RangeError);
  });
});

describe('The result of a row', () => {
  it('is the median of the ratios of rounds, not the ratio of medians', () => {
    const result = summarizeRow(row, [round(100, 95), round(50, 48), round(200, 160)]);
    expect(result).toMatchObject({ reference: 100, ours: 95, ratio: 0.95, isMet: true });
  });

  it('leaves disturbed rounds out where others are quiet', () => {
    const result = summarizeRow(row, [round(100, 80), round(10, 100, 0.7)]);
    expect(result).toMatchObject({ ratio: 0.8, isMet: false, isDisturbed: false });
  });

  it('says so where all rounds were disturbed', () => {
    const result = summarizeRow(row, [round(100, 95, 0.5)]);
    expect(result.isDisturbed).toBe(true);
    expect(formatTable([result])).toContain('yes, disturbed');
  });

  it('is the worst figure where a bound must always hold', () => {
    const delay = { ...row, id: 'delay', better: 'lower', absolute: true, goal: 5 };
    const rounds = [3, 7, 2].map((delayMs) => ({ busy: 0, reference: {}, library: { delay: delayMs } }));
    expect(summarizeRow(delay, rounds)).toMatchObject({ value: 7, isMet: false });
  });

  it('gives the reason where nothing was measured', () => {
    const result = summarizeRow({ ...row, unavailable: 'no grammars yet' }, []);
    expect(formatTable([result])).toContain('not measured: no grammars yet');
  });
});

describe('The chart', () => {
  const measured = summarizeRow(row, [round(100, 45)]);

  it('draws each result in multiples of its goal, more always being better', () => {
    expect(goalShare(measured)).toBeCloseTo(0.5);
    expect(goalShare({ row: { ...row, better: 'lower', goal: 0.25 }, value: 0.5 })).toBeCloseTo(0.5);
    expect(goalShare({ row: { ...row, goal: undefined }, value: 0.7 })).toBe(0.7);
  });

  it('is well-formed, with a bar for what was measured and a reason for what was not', () => {
    const missing = summarizeRow({ ...row, unavailable: 'no <peer> asked for' }, []);
    const chart = drawChart([measured, missing], { title: 'a & b', subtitle: 'two rows' });
    expect(chart).toContain('a &amp; b');
    expect(chart).toContain('speed of &lt;this&gt;');
    expect(chart).toContain('not measured: no &lt;peer&gt; asked for');
    expect(chart.match(/<rect/g)).toHaveLength(2); // the background and one bar
    expect(chart.match(/<text/g)?.length).toBe(chart.match(/<\/text>/g)?.length);
  });
});

describe('The rows', () => {
  it('have different names and are selected by how these begin', () => {
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
    expect(selectRows([])).toHaveLength(rows.length);
    expect(selectRows(['prefill']).map(({ id }) => id)).toEqual(['prefill-0.5b', 'prefill-smollm2']);
    expect(() => selectRows(['prefil', 'nothing'])).toThrow(/"nothing"\. Rows: greedy-1-0\.5b/);
  });
});

describe('The options', () => {
  it('have defaults and take lists', () => {
    expect(parseOptions([])).toMatchObject({ rows: [], rounds: 3, threads: 2, build: true });
    expect(parseOptions(['--rows', 'greedy,memory', '--no-build'])).toMatchObject({
      rows: ['greedy', 'memory'],
      build: false,
    });
  });

  it('refuse numbers that make no sense', () => {
    expect(() => parseOptions(['--rounds', '0'])).toThrow('Expected --rounds to be a whole number above 0');
    expect(() => parseOptions(['--threads', 'two'])).toThrow('received "two"');
  });
});

describe('A peer', () => {
  it('is installed with the binary of this platform alone', () => {
    expect(peerPackages('node-llama-cpp', 'linux-x64').map((name) => name.replace(/@[\d.]+$/, ''))).toEqual([
      'node-llama-cpp',
      '@node-llama-cpp/linux-x64',
    ]);
    expect(() => peerPackages('node-llama-cpp', 'aix-ppc64')).toThrow('aix-ppc64');
    expect(() => peerPackages('left-pad')).toThrow('"left-pad"');
  });
});

describe('Measuring in quiet', () => {
  it('finds the share of the processors in use from two readings', () => {
    const before = [
      { idle: 0, all: 0 },
      { idle: 100, all: 200 },
    ];
    const after = [
      { idle: 50, all: 100 },
      { idle: 200, all: 300 },
    ];
    expect(busyShare(before, after)).toBeCloseTo(0.25);
  });

  it('measures once more if the machine got busy, and keeps the better attempt', async () => {
    const shares = [0, 0.9, 0, 0.05];
    let attempt = 0;
    const best = await measureInQuiet(async () => ++attempt, {
      waitSeconds: 0,
      attempts: 3,
      measure: async () => shares.shift() ?? 1,
    });
    expect(best).toEqual({ result: 2, busy: 0.05 });
  });
});

describe('Prompts', () => {
  it('are the same for the same seed and share exactly the prefix', () => {
    expect(createPrompt(50, 1)).toEqual(createPrompt(50, 1));
    expect(createPrompt(50, 1)).not.toEqual(createPrompt(50, 2));
    const [first = [], second = []] = createSharedPrompts(2, 30, 5, 1);
    expect(first).toHaveLength(35);
    expect(first.slice(0, 30)).toEqual(second.slice(0, 30));
    expect(first[30]).not.toBe(second[30]);
  });
});

describe("A reference's output", () => {
  it('is read line by line, past what is not JSON', () => {
    expect(parseJsonLines('\nnote\n{"pl": 1, "speed_tg": 5.5}\nmore\n')).toEqual([{ pl: 1, speed_tg: 5.5 }]);
  });
});

describe('A random model', () => {
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'llama-native-bench-'));
  });

  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('is written once and has the shape it is named for', async () => {
    const { ensureRandomModel } = await import('../../scripts/bench/random-model.mjs');
    const options = { directory, seed: 1, writeGguf };
    const path = await ensureRandomModel('41m', options);
    expect(
      await ensureRandomModel('41m', { ...options, writeGguf: () => expect.fail('written twice') }),
    ).toBe(path);
    expect(readdirSync(directory)).toHaveLength(1);
    const header = await readGgufHeader(path);
    const embedding = header.tensors.find(({ name }) => name === 'token_embd.weight');
    expect(embedding?.dimensions.map(Number)).toEqual([256, 151_936]);
  });
});

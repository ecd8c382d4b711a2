import { describe, expect, test } from 'vitest';
import { advise, isPareto, type Rated } from '../../lib/compare/advice.js';
import { median } from '../../lib/compare/measure-speed.js';
import { type LabelSpace, placeLabels, textWidth } from '../../lib/compare/place-labels.js';
import { renderPlot } from '../../lib/compare/plot.js';
import { linearTicks, logTicks } from '../../lib/compare/plot-scales.js';
import type { ComparedFile, Comparison } from '../../lib/compare/types.js';

const exactly = (value: number) => ({ value, standardError: 0 });

function file(name: string, megabytes: number, divergence: number, loss: number): ComparedFile {
  return {
    name,
    path: undefined,
    isReference: divergence === 0,
    sizeBytes: megabytes * 1e6,
    bitsPerWeight: undefined,
    memoryBytes: megabytes * 1.2e6,
    fits: true,
    prefillTokensPerSecond: 100,
    decodeTokensPerSecond: 20,
    perplexity: exactly(10),
    perplexityLoss: exactly(loss),
    klDivergence: exactly(divergence),
    topAgreement: exactly(0.9),
    isPareto: true,
  };
}

const files = [
  file('F16', 1000, 0, 0),
  file('Q8_0', 500, 0.001, 0.001),
  file('Q5_K_M', 350, 0.01, 0.008),
  file('Q4_K_M', 300, 0.03, 0.018),
  file('Q2_K', 200, 0.4, 0.3),
];

describe('the advice', () => {
  const adviseFor = (rated: readonly Rated[], tolerance = 0.02) => advise(rated, tolerance, 4e9);

  test('is the smallest file within the tolerance, with its reasons', () => {
    const { recommended, advice } = adviseFor(files);
    expect(recommended).toBe('Q4_K_M');
    expect(advice).toContain('Use Q4_K_M (300.0 MB)');
    expect(advice).toContain('+1.8 %');
    expect(adviseFor(files, 0.01).recommended).toBe('Q5_K_M');
  });

  test('is the model itself where every smaller file loses too much', () => {
    const { recommended, advice } = adviseFor(files, 0);
    expect(recommended).toBe('F16');
    expect(advice).toContain('no smaller file');
  });

  test('is the nearest file that fits where none is good', () => {
    const tight = files.map((entry) => ({ ...entry, fits: entry.sizeBytes <= 300e6 }));
    const { recommended, advice } = adviseFor(tight, 0.001);
    expect(recommended).toBe('Q4_K_M');
    expect(advice).toContain('grew by more than');
  });

  test('says so if nothing fits', () => {
    const { recommended, advice } = adviseFor(files.map((entry) => ({ ...entry, fits: false })));
    expect(recommended).toBeUndefined();
    expect(advice).toContain('4.0 GB');
  });
});

test('a file is on the Pareto front unless another is no larger, no farther, and better in one of both', () => {
  const beaten = file('Q4_0', 320, 0.05, 0.04);
  expect(isPareto(beaten, [...files, beaten])).toBe(false);
  for (const entry of files) expect(isPareto(entry, [...files, beaten])).toBe(true);
});

test('the median of an even number of values lies between the two in the middle', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
});

describe('labels of a plot', () => {
  const space: LabelSpace = { left: 0, top: 0, right: 700, bottom: 400, fontSize: 13, pointRadius: 6 };

  test('cover neither each other nor points, though these are close together', () => {
    const labels = Array.from({ length: 14 }, (_, i) => {
      return { x: 300 + (i % 5) * 12, y: 200 + (i % 3) * 9, text: `IQ${i}_XXS 中文` };
    });
    const boxes = placeLabels(labels, space).map(({ labelX, labelY, anchor, text }) => {
      const width = textWidth(text, 13);
      const left = labelX - (anchor === 'start' ? 0 : anchor === 'end' ? width : width / 2);
      return { left, right: left + width, top: labelY - 11, bottom: labelY + 3 };
    });
    for (const [index, a] of boxes.entries()) {
      expect(a.left).toBeGreaterThanOrEqual(0);
      expect(a.right).toBeLessThanOrEqual(700);
      for (const b of boxes.slice(index + 1)) {
        const overlap = a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
        expect(overlap).toBe(false);
      }
    }
  });
});

describe('the plot', () => {
  const comparison: Comparison = {
    files: [...files, file('<Q4 & "co">', 310, 0.02, 0.01)],
    recommended: 'Q4_K_M',
    advice: '',
    contextSize: 512,
    chunks: 4,
    rounds: 1,
    machineBytes: 4e9,
  };

  test('names every file, escaped, has no number that is none, and reads in dark surroundings too', () => {
    const svg = renderPlot(comparison);
    for (const { name } of files) expect(svg).toContain(name);
    expect(svg).toContain('&#60;Q4 &#38; &#34;co&#34;&#62;');
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    expect(svg).toContain('prefers-color-scheme: dark');
    expect(svg.match(/<circle class="ring"/g)).toHaveLength(1);
  });

  test('is drawn also for one file, and for files that are the same as the reference', () => {
    const same = { ...file('copy', 1000, 0, 0), isReference: false };
    const svg = renderPlot({ ...comparison, files: [file('F16', 1000, 0, 0), same] });
    expect(svg).not.toMatch(/NaN|Infinity/);
  });

  test('has axes around its values', () => {
    const { low, high, ticks } = linearTicks([82, 145, 271]);
    expect(low).toBeLessThan(82);
    expect(high).toBeGreaterThan(271);
    expect(ticks).toEqual([100, 150, 200, 250]);
    expect(logTicks([0.002, 0.3]).ticks).toEqual([0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5]);
  });
});

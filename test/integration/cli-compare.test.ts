import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runProcess } from '../helpers/cli-process.js';
import { temporaryDirectory } from '../helpers/hub-fixtures.js';
import { testModelPath } from '../helpers/model.js';

const text = 'The river runs from the mountains to the sea, past villages and mills. '.repeat(20);

test('compare makes two quantizations of a real model, and tells in words, columns and a picture how far they are from it', {
  timeout: 900_000,
}, async () => {
  const directory = await temporaryDirectory();
  const [textPath, plot, kept] = ['text.txt', 'report.svg', 'quants'].map((name) => join(directory, name));
  await writeFile(textPath as string, text);
  const size = ['--text', textPath as string, '--chunk-size', '64', '--chunks', '2', '--rounds', '1'];
  const files = ['--directory', kept as string, '--output', plot as string];
  const { exitCode, output, notes } = await runProcess([
    ...['compare', await testModelPath(), '--types', 'Q8_0,Q2_K', '--allow-requantize'],
    ...['--threads', '1', ...size, ...files],
  ]);

  expect({ exitCode, notes }).toMatchObject({ exitCode: 0 });

  const rows = output.split('\n').filter((line) => line.includes(' ± '));
  const rowOf = (name: string) => rows.find((row) => row.includes(name)) ?? '';
  expect(output).toMatch(/FILE +SIZE +MEMORY +PREFILL +DECODE +PERPLEXITY +GROWTH +KL +SAME TOP/);
  expect(rows.length).toBe(3);
  expect(rowOf('(reference)')).toMatch(
    /\(reference\) +[\d.]+ MB +[\d.]+ MB +[\d.]+ +[\d.]+ +[\d.]+ ± [\d.]+\s*$/,
  );
  const measured = (name: string) => {
    const [, perplexity, growth, klDivergence, share] =
      /([\d.]+) ± [\d.]+ +([+-][\d.]+) % +([\d.]+) +([\d.]+) %\s*$/.exec(rowOf(name)) ?? [];
    return {
      perplexity: Number(perplexity),
      growth: Number(growth),
      klDivergence: Number(klDivergence),
      share: Number(share),
    };
  };
  const [eight, two] = [measured('Q8_0'), measured('Q2_K')];
  expect(eight.klDivergence).toBeLessThan(two.klDivergence);
  expect(eight.share).toBeGreaterThan(two.share);
  expect(Math.abs(eight.growth)).toBeLessThan(Math.abs(two.growth));
  expect(output).toMatch(/^Use \S+ \([\d.]+ MB\).*tokens a second here\.$/m);
  expect(output).toContain(plot as string);
  expect(notes).toMatch(/2 chunks of 64 tokens; speeds in tokens a second, measured once\./);

  expect((await readdir(kept as string)).filter((name) => name.endsWith('.gguf')).length).toBe(2);
  const picture = await readFile(plot as string, 'utf8');
  expect(picture).toMatch(/^<svg [\s\S]*prefers-color-scheme: dark[\s\S]*>Q8_0<[\s\S]*<\/svg>\s*$/);
  expect((await stat(plot as string)).size).toBeGreaterThan(1000);
});

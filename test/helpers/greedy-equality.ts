import { expect } from 'vitest';
import type { Model } from '../../lib/index.js';

/**
 * How far apart two logits may be that rounding swaps: where cells lie in the cache and how a prompt is cut into batches
 * decides the order of sums. Logits of the small models here differ by up to 0.023 between one batch and one token at a
 * time; the two largest of 30 000 are 0.2 apart on average, and few others are near.
 */
const tie = 0.05;

/**
 * Asserts that two greedy answers to a prompt are the same. Where they part, both tokens must have all but the same
 * logit, and what comes after is not compared.
 */
export async function expectSameAnswer(
  model: Model,
  prompt: readonly number[],
  actual: readonly number[],
  expected: readonly number[],
): Promise<void> {
  const at = expected.findIndex((token, index) => token !== actual[index]);
  if (at === -1) {
    expect(actual).toEqual(expected);
    return;
  }
  const context = await model.createContext({
    contextSize: prompt.length + expected.length,
    keyType: 'f32',
    valueType: 'f32',
  });
  await context.eval([...prompt, ...expected.slice(0, at)]);
  const logits = await context.logits();
  await context.close();
  const largest = logits.reduce((most, logit) => Math.max(most, logit), Number.NEGATIVE_INFINITY);
  const gap = (token: number | undefined) => largest - (logits[token ?? -1] ?? Number.NEGATIVE_INFINITY);
  expect(gap(actual[at]), `token ${at} of the answer to ${prompt.length} tokens`).toBeLessThan(tie);
  expect(gap(expected[at])).toBeLessThan(tie);
}

import { expect } from 'vitest';
import type { Model } from '../../lib/index.js';

/**
 * How far apart two logits may be that rounding swaps: where cells lie in the cache decides the order of sums. With a
 * cache in F32 that makes 0.00001; in F16, prompts cut into other batches differ by up to 0.009 with the models here.
 */
const tie = 1e-4;

/**
 * Asserts that two greedy answers to a prompt, both with a cache in F32, are the same. Where they part, both tokens must have all but the same
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

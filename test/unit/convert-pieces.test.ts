import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import {
  convertTensorRows,
  convertTensorRowsInto,
  rowsByteSize,
} from '../../lib/convert/tensors/convert-rows.js';
import { type MakePiece, PieceLine } from '../../lib/convert/tensors/piece-line.js';
import { type TensorType, tensorTypeByName } from '../../lib/gguf/tensor-types.js';
import { getAddon } from '../../lib/native/addon.js';
import { randomNumbers, randomTensor } from '../helpers/checkpoint-weights.js';

/** Tensors whose pieces are their own names; notes what is begun, with its slot. */
function lineOf(...pieceCounts: number[]) {
  const begun: [name: string, slot: number][] = [];
  const line = new PieceLine();
  const piece =
    (name: string): MakePiece =>
    async (slot) => {
      begun.push([name, slot]);
      await nextTurn();
      if (name.includes('bad')) throw new Error(`${name} fails`);
      return Buffer.from(name);
    };
  const tensors = pieceCounts.map((count, tensor) =>
    line.add(() => Array.from({ length: count }, (_, index) => piece(`${tensor}.${index}`))),
  );
  return { line, piece, tensors, begun };
}

describe('the pieces of the tensors of a conversion', () => {
  it('come in their order, while the next one is made in other memory, also that of the next tensor', async () => {
    const { tensors, begun } = lineOf(1, 3, 0, 2, 1);
    const taken: string[] = [];
    for (const take of tensors) {
      for await (const bytes of take()) {
        taken.push(Buffer.from(bytes).toString());
        const [name, slot] = begun.at(-1) ?? ['', 0];
        const isAhead = !['1.2', '4.0'].includes(taken.at(-1) ?? ''); // nothing follows in the next tensor
        expect([name !== taken.at(-1), begun.length - taken.length]).toEqual([isAhead, isAhead ? 1 : 0]);
        if (isAhead) expect(slot).not.toBe(begun.find(([other]) => other === taken.at(-1))?.[1]);
      }
    }
    expect(taken).toEqual(['0.0', '1.0', '1.1', '1.2', '3.0', '3.1', '4.0']);
    expect(begun.map(([name]) => name)).toEqual(taken);
  });

  it('fail when their turn comes, and not for one that nobody takes', async () => {
    const { line, piece } = lineOf();
    const good = line.add(() => [piece('good')]);
    const bad = line.add(() => [piece('bad')]);
    const taken: string[] = [];
    for await (const bytes of good()) taken.push(Buffer.from(bytes).toString());
    await nextTurn();
    expect(taken).toEqual(['good']);
    await expect(bad().next()).rejects.toThrow('bad fails');
  });
});

describe('rows of a tensor', () => {
  it.each(['F32', 'F16', 'BF16', 'Q8_0', 'Q4_1'])(
    'become the same %s on any number of threads',
    async (type) => {
      const rowLength = 160;
      const { bytes } = randomTensor('rows', [4099, rowLength], 'F16');
      const one = await convertTensorRows('F16', type, bytes, rowLength);
      for (const threads of [2, 3, 64]) {
        const target = new Uint8Array(one.byteLength);
        await convertTensorRowsInto('F16', type, bytes, target, rowLength, threads);
        expect(Buffer.compare(target, one), `${threads} threads`).toBe(0);
      }
    },
  );
});

describe('rows of a layer of GPTQ', () => {
  const [inputs, outputs, groupCount] = [256, 203, 4];
  const random = randomNumbers(9);
  const layer = (actOrder: boolean) => ({
    bits: 4 as const,
    inputs,
    outputs,
    weights: Uint32Array.from({ length: (inputs * outputs) / 8 }, () => random() * 2 ** 32),
    scales: Float32Array.from({ length: groupCount * outputs }, () => 0.01 + random() / 64),
    zeros: Uint8Array.from({ length: groupCount * outputs }, () => 1 + random() * 14),
    groups: Int32Array.from({ length: inputs }, (_, input) =>
      actOrder ? (input * 37) % groupCount : Math.floor((input * groupCount) / inputs),
    ),
  });

  it.each([
    { type: 'Q4_1', actOrder: false },
    { type: 'Q4_1', actOrder: true },
    { type: 'Q6_K', actOrder: true },
    { type: 'Q8_0', actOrder: true },
    { type: 'F16', actOrder: true },
  ])(
    'become the same $type with the same error on any number of threads, act-order $actOrder',
    async ({ type, actOrder }) => {
      const source = layer(actOrder);
      const convertOn = async (threads: number) => {
        const target = new Uint8Array(rowsByteSize(type, inputs, outputs));
        const { id } = tensorTypeByName(type) as TensorType;
        const deviation = await getAddon().convertGptqRows(source, id, 0, target, threads);
        return { target, deviation };
      };
      const one = await convertOn(1);
      expect(one.deviation[1]).toBeGreaterThan(0);
      for (const threads of [2, 3, 64]) {
        const { target, deviation } = await convertOn(threads);
        expect(Buffer.compare(target, one.target), `${threads} threads`).toBe(0);
        expect(deviation).toEqual(one.deviation);
      }
    },
  );
});

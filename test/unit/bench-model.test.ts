import { describe, expect, it } from 'vitest';
import {
  createRandomBytes,
  halfPrecisionBits,
  quantizedNoise,
  uniformData,
} from '../../scripts/bench/quantized-noise.mjs';
import { parameterCount, randomModelContent, randomModels } from '../../scripts/bench/random-model.mjs';
import { byteCharacters, createVocabulary } from '../../scripts/bench/vocabulary.mjs';

function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  return sign * 2 ** (((bits >> 10) & 31) - 15) * (1 + (bits & 0x3ff) / 1024);
}

/** The weights of a quantized tensor. Source: dequantize_row_q4_0 and dequantize_row_q8_0 of ggml-quants.c. */
function dequantize(type: 'Q4_0' | 'Q8_0', data: Buffer): number[] {
  const blockBytes = type === 'Q4_0' ? 18 : 34;
  const weights: number[] = [];
  for (let offset = 0; offset < data.length; offset += blockBytes) {
    const scale = fromHalf(data.readUInt16LE(offset));
    for (let index = offset + 2; index < offset + blockBytes; index++) {
      if (type === 'Q8_0') weights.push(scale * data.readInt8(index));
      else
        weights.push(scale * ((data.readUInt8(index) & 15) - 8), scale * ((data.readUInt8(index) >> 4) - 8));
    }
  }
  return weights;
}

function moments(values: readonly number[]): { mean: number; deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, deviation: Math.sqrt(variance) };
}

describe('Random quantized weights', () => {
  it.each(['Q4_0', 'Q8_0'] as const)('of type %s are centred and have the deviation asked for', (type) => {
    const tensor = { type, elements: 32 * 4000, deviation: 0.05, seed: 'weights' };
    const { mean, deviation } = moments(dequantize(type, Buffer.concat([...quantizedNoise(tensor)])));
    expect(Math.abs(mean)).toBeLessThan(0.001);
    expect(deviation).toBeCloseTo(0.05, 2);
  });

  it('are the same for the same seed, however large the tensor, and others for another', () => {
    const data = (seed: string) =>
      Buffer.concat([...quantizedNoise({ type: 'Q4_0', elements: 32 * 300_000, deviation: 1, seed })]);
    expect(data('a').length).toBe(18 * 300_000);
    expect(data('a').equals(data('a'))).toBe(true);
    expect(data('a').equals(data('b'))).toBe(false);
  });

  it('have scales in half precision', () => {
    for (const value of [1, -2, 0.5, 1.5, 0.0001])
      expect(fromHalf(halfPrecisionBits(value))).toBeCloseTo(value, 6);
    expect(() => halfPrecisionBits(1e-9)).toThrow(RangeError);
    expect(() => halfPrecisionBits(1e6)).toThrow(RangeError);
  });

  it('come from a stream of bytes that goes on where it stopped', () => {
    const whole = createRandomBytes('stream')(64);
    const random = createRandomBytes('stream');
    expect(Buffer.concat([random(10), random(54)]).equals(whole)).toBe(true);
  });

  it('exist in full precision too', () => {
    const data = uniformData(10_000, 0.1, 'bias');
    const values = [...new Float32Array(data.buffer, data.byteOffset, 10_000)];
    expect(moments(values).deviation).toBeCloseTo(0.1, 2);
  });
});

describe('The vocabulary of a random model', () => {
  const { tokens, types, merges, ordinary } = createVocabulary(151_936);

  it('has as many different tokens as it should, each with a type', () => {
    expect(tokens).toHaveLength(151_936);
    expect(new Set(tokens).size).toBe(tokens.length);
    expect(types).toHaveLength(tokens.length);
  });

  it('has a token for each byte, so that every text can be tokenized', () => {
    const bytes = byteCharacters();
    expect(new Set(bytes).size).toBe(256);
    expect(bytes[0x20]).toBe('Ġ');
    expect(bytes[0x0a]).toBe('Ċ');
    expect(tokens.slice(0, 256)).toEqual(bytes);
  });

  it('has control tokens where the ordinary ones end', () => {
    expect(tokens.slice(ordinary, ordinary + 3)).toEqual(['<|endoftext|>', '<|im_start|>', '<|im_end|>']);
    expect(new Set(types.slice(0, ordinary))).toEqual(new Set([1]));
    expect(types[ordinary]).toBe(3);
  });

  it('has merges of tokens into tokens', () => {
    const known = new Set(tokens);
    for (const merge of merges) {
      const [first = '', second = ''] = merge.split(' ');
      expect(known.has(first) && known.has(second) && known.has(first + second)).toBe(true);
    }
  });

  it('cannot be smaller than its bytes, merges and control tokens', () => {
    expect(() => createVocabulary(500)).toThrow('500');
  });
});

describe('The shapes of random models', () => {
  it('have as many weights as their names say', () => {
    expect(parameterCount(randomModels['0.5b'])).toBe(494_032_768); // Qwen2.5-0.5B's count
    expect(parameterCount(randomModels['41m']) / 1e6).toBeCloseTo(41, 0);
  });

  it('have data of the length that type and dimensions ask for', () => {
    const { tensors } = randomModelContent(randomModels['41m'], 'seed');
    const blockBytes: Record<string, number> = { Q4_0: 18 / 32, Q8_0: 34 / 32, F32: 4 };
    for (const { name, dimensions, type, data } of tensors.filter((tensor) =>
      tensor.name.startsWith('blk.0.'),
    )) {
      const elements = dimensions.reduce((product, dimension) => product * dimension, 1);
      const made: Buffer | Iterable<Buffer> = data();
      const length = Buffer.concat(Buffer.isBuffer(made) ? [made] : [...made]).length;
      expect(length, name).toBe(elements * (blockBytes[type] ?? Number.NaN));
    }
  });
});

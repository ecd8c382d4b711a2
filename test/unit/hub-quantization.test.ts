import { describe, expect, it } from 'vitest';
import {
  chooseFile,
  hasQuantization,
  isModelFile,
  partsOf,
  quantizationOf,
  quantizationPreference,
} from '../../lib/hub/quantization.js';

const candidates = (paths: string[]) => paths.map((path) => ({ path, sizeBytes: 1 }));

describe('the quantization of a file', () => {
  it.each([
    ['SmolLM2-135M-Instruct.Q4_1.gguf', 'Q4_1'],
    ['qwen2.5-0.5b-instruct-q4_k_m.gguf', 'Q4_K_M'],
    ['Llama-3.2-1B-UD-IQ2_XXS.gguf', 'IQ2_XXS'],
    ['model-IQ4_NL.gguf', 'IQ4_NL'],
    ['gpt-oss-20b-mxfp4.gguf', 'MXFP4'],
    ['ggml-model-f16.gguf', 'F16'],
    ['BF16/big-BF16-00001-of-00002.gguf', 'BF16'],
    ['Q8_0/big-00001-of-00002.gguf', 'Q8_0'],
    ['bitnet-TQ1_0.gguf', 'TQ1_0'],
    ['model.gguf', undefined],
    ['Q-Align-7B.gguf', undefined],
  ])('%s is %s', (path, expected) => {
    expect(quantizationOf(path)).toBe(expected);
  });

  it('matches a name without regard to case, and only whole', () => {
    expect(hasQuantization('a/model-UD-Q4_K_XL.gguf', 'q4_k_xl')).toBe(true);
    expect(hasQuantization('model-UD-Q4_K_XL.gguf', 'ud-q4_k_xl')).toBe(true);
    expect(hasQuantization('model-Q4_K_M.gguf', 'Q4_K')).toBe(false);
    expect(hasQuantization('model-IQ4_XS.gguf', 'Q4_XS')).toBe(false);
    expect(hasQuantization('model-q8_0-imat-v2.gguf', 'imat')).toBe(true);
    expect(hasQuantization('modelQ8_0.gguf', 'Q8_0')).toBe(false);
  });
});

describe('the choice among files', () => {
  it('follows the documented preference', () => {
    const all = candidates(quantizationPreference.map((name) => `m-${name}.gguf`).toReversed());
    const chosen: (string | undefined)[] = [];
    while (all.length > 0) {
      const path = chooseFile(all, {});
      chosen.push(quantizationOf(path ?? ''));
      all.splice(
        all.findIndex((candidate) => candidate.path === path),
        1,
      );
    }
    expect(chosen).toEqual(quantizationPreference);
  });

  it('takes a file without a known quantization when there is no other', () => {
    expect(chooseFile(candidates(['README.md', 'model.gguf']), {})).toBe('model.gguf');
    expect(chooseFile(candidates(['model.gguf', 'model-F32.gguf']), {})).toBe('model-F32.gguf');
    expect(chooseFile(candidates(['README.md']), {})).toBeUndefined();
  });

  it('takes neither projectors nor importance matrices unless they are named', () => {
    const files = candidates([
      'mmproj-model-Q4_K_M.gguf',
      'model.mmproj-f16.gguf',
      'imatrix.gguf',
      'm-F32.gguf',
    ]);
    expect(chooseFile(files, {})).toBe('m-F32.gguf');
    expect(chooseFile(files, { quantization: 'Q4_K_M' })).toBeUndefined();
    expect(chooseFile(files, { file: 'imatrix.gguf' })).toBe('imatrix.gguf');
    expect(isModelFile('my-mmprojector-Q8_0.gguf')).toBe(true);
  });

  it('takes the first part of a split model, whichever part is named', () => {
    const parts = partsOf('x/m-Q8_0-00001-of-00003.gguf');
    expect(parts).toEqual([1, 2, 3].map((index) => `x/m-Q8_0-0000${index}-of-00003.gguf`));
    expect(chooseFile(candidates(parts.toReversed()), { quantization: 'q8_0' })).toBe(parts[0]);
    expect(chooseFile(candidates(parts), { file: parts[2] ?? '' })).toBe(parts[0]);
    expect(chooseFile(candidates(parts.slice(1)), {})).toBeUndefined();
  });

  it('is the plainest of several files with one quantization', () => {
    const files = candidates(['sub/m-Q8_0.gguf', 'm-long-Q8_0.gguf', 'n-Q8_0.gguf', 'm-Q8_0.gguf']);
    expect(chooseFile(files, { quantization: 'Q8_0' })).toBe('m-Q8_0.gguf');
  });
});

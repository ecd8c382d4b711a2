import { describe, expect, it } from 'vitest';
import { parseServedModel } from '../../../lib/cli/serve/server-options.js';
import { nameOfSource, settleNames } from '../../../lib/server/models/model-names.js';

describe('a model that is served', () => {
  it('may be given a name', () => {
    expect(parseServedModel('chat=hf:Qwen/Qwen2.5-7B-Instruct-GGUF:Q4_K_M')).toEqual({
      name: 'chat',
      source: 'hf:Qwen/Qwen2.5-7B-Instruct-GGUF:Q4_K_M',
    });
  });

  it.each([
    './model.gguf',
    'C:\\models\\model.gguf',
    'https://example.org/model.gguf?download=true',
    './folder/a=b.gguf',
    'hf:owner/repo',
  ])('may be a source alone: %s', (source) => {
    expect(parseServedModel(source)).toEqual({ source });
  });

  it.each([
    ['/models/qwen2.5-7b-q4_k_m.gguf', 'qwen2.5-7b-q4_k_m'],
    ['C:\\models\\Model.GGUF', 'Model'],
    ['hf:Qwen/Qwen2.5-7B-Instruct-GGUF:Q4_K_M', 'Qwen2.5-7B-Instruct-GGUF:Q4_K_M'],
    ['https://example.org/files/model.gguf?download=true', 'model'],
  ])('is called by its file or repository: %s', (source, name) => {
    expect(nameOfSource(source)).toBe(name);
  });

  it('shares its names with no other', () => {
    const models = [{ source: 'a.gguf' }, { source: 'b.gguf', aliases: ['a'] }];
    expect(() => settleNames(models)).toThrow(/Two models are called a/);
  });
});

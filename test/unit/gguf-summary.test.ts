import { describe, expect, it } from 'vitest';
import { fileTypeName } from '../../lib/gguf/file-types.js';
import { readGgufHeader, readGgufMetadata, summarizeGguf } from '../../lib/gguf/index.js';
import { uint32, writeTinyModel } from '../helpers/gguf-files.js';
import { testModelPath } from '../helpers/model.js';
import { readVendored, vendoredPath } from '../helpers/vendored.js';

describe('the summary of a model file', () => {
  it('tells the facts of a real model', async () => {
    const { metadata, ...summary } = await readGgufMetadata(await testModelPath());
    expect(summary).toMatchObject({
      version: 3,
      architecture: 'llama',
      fileSize: 98_362_432,
      fileType: 'Q4_1',
      tensorCount: 272,
      parameterCount: 134_515_008,
      contextLength: 8192,
      embeddingLength: 576,
      layerCount: 30,
      headCount: 9,
      keyValueHeadCount: 3,
      expertCount: undefined,
      vocabularySize: 49_152,
      tokenizer: 'gpt2',
      preTokenizer: 'smollm',
      splitCount: 1,
    });
    expect(summary.chatTemplate).toContain('<|im_start|>');
    expect(summary.types.map(({ type }) => type)).toContain('Q4_1');
    expect(summary.types.reduce((count, share) => count + share.tensorCount, 0)).toBe(272);
    expect(summary.bitsPerWeight).toBeCloseTo((8 * summary.tensorBytes) / 134_515_008);
    expect(metadata.get('general.architecture')).toEqual({ type: 'string', value: 'llama' });
  });

  it('adds up data types, the largest first, and takes the most heads of any layer', async () => {
    const path = await writeTinyModel({
      'llama.attention.head_count': { type: 'array', elementType: 'int32', value: [2, 4] },
      'llama.expert_count': uint32(8),
    });
    const summary = summarizeGguf(await readGgufHeader(path));
    expect(summary).toMatchObject({
      name: 'Tiny',
      fileType: 'F16',
      headCount: 4,
      expertCount: 8,
      tensorBytes: 1024,
    });
    expect(summary.types).toEqual([
      { type: 'F16', tensorCount: 1, parameterCount: 384, bytes: 768 },
      { type: 'F32', tensorCount: 1, parameterCount: 64, bytes: 256 },
    ]);
  });

  it('leaves out what a vocabulary without weights does not tell', async () => {
    const summary = await readGgufMetadata(vendoredPath('models', 'ggml-vocab-bert-bge.gguf'));
    expect(summary).toMatchObject({
      parameterCount: 0,
      bitsPerWeight: undefined,
      types: [],
      tokenizer: 'bert',
    });
  });

  it('names every file type of the vendored llama.cpp', async () => {
    const source = await readVendored('include', 'llama.h');
    const types = [...source.matchAll(/^ +LLAMA_FTYPE_(?:ALL|MOSTLY)_(\w+)\s+= (\d+),/gm)];
    expect(types.length).toBeGreaterThan(30);
    for (const [, name, number] of types) {
      expect([number, fileTypeName(Number(number))]).toEqual([number, name]);
    }
  });
});

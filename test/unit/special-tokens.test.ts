import { describe, expect, it } from 'vitest';
import { runCommandLine } from '../../lib/cli/program.js';
import { estimateMemory, readGgufMetadata, summarizeGguf } from '../../lib/gguf/index.js';
import { findSpecialTokens } from '../../lib/gguf/special-tokens.js';
import { readGgufHeaders } from '../../lib/inspect/index.js';
import { createTestContext } from '../helpers/cli-context.js';
import { strings, text, writeTinyModel } from '../helpers/gguf-files.js';

async function modelWith(tokens: readonly (readonly [text: string, type: number])[], template?: string) {
  const path = await writeTinyModel({
    'tokenizer.ggml.tokens': strings(...tokens.map(([token]) => token)),
    'tokenizer.ggml.token_type': {
      type: 'array',
      elementType: 'int32',
      value: tokens.map(([, type]) => type),
    },
    'tokenizer.chat_template': template === undefined ? undefined : text(template),
  });
  return readGgufMetadata(path);
}

const [unknown, normal, control, userDefined] = [2, 1, 3, 4];

const thinking = [
  ['a', normal],
  ['<unk>', unknown],
  ['<|im_start|>', control],
  ['§', control],
  ['<think>', userDefined],
  ['\n\n', userDefined],
  ['<table>', userDefined],
] as const;

async function inspect(report: Awaited<ReturnType<typeof modelWith>>, ...more: string[]): Promise<string> {
  const context = createTestContext({
    library: {
      resolveModel: async () => report.path,
      readGgufHeaders,
      summarizeGguf,
      estimateMemory,
      getDevices: async () => [],
      listCachedModels: async () => [],
      findSpecialTokens,
    },
  });
  expect(await runCommandLine(['inspect', report.path, ...more], context)).toBe(0);
  return context.outputStream.text;
}

describe('the special tokens of a model', () => {
  it('are covered if they are control tokens of several characters, or marks like them', async () => {
    expect(findSpecialTokens(await modelWith(thinking, '<|im_start|>{{ m }}\n\n§'))).toEqual({
      covered: ['<unk>', '<|im_start|>', '<think>'],
      uncovered: ['§', '\n\n', '<table>'],
      uncoveredInTemplate: ['§'],
    });
  });

  it('are marks, whatever they look like, if the chat template writes them', async () => {
    const tokens = [
      ['user:', userDefined],
      ['<table>', userDefined],
      ['ø', userDefined],
    ] as const;
    expect(findSpecialTokens(await modelWith(tokens, 'ø'))?.covered).toEqual([]);
    const template = 'ø user: {{ m }}<table>';
    expect(findSpecialTokens(await modelWith(tokens, template))).toMatchObject({
      covered: ['user:', '<table>'],
      uncoveredInTemplate: [],
    });
  });

  it('are those that llama.cpp makes of them for gpt-oss', async () => {
    const names = ['<|start|>', '<|message|>', '<|end|>', '<|call|>', '<|return|>'];
    const tokens = names.map((name) => [name, control] as const);
    expect(findSpecialTokens(await modelWith(tokens))).toMatchObject({
      covered: ['<|start|>', '<|message|>', '<|end|>', '<|call|>', '<|return|>'],
      uncovered: [],
    });
    const others = [...tokens.slice(2, 3), ['<|user|>', control] as const];
    expect(findSpecialTokens(await modelWith(others))?.covered).toEqual(['<|end|>', '<|user|>']);
  });

  it('are unknown for a file that does not tell their types', () => {
    expect(findSpecialTokens({ metadata: new Map(), chatTemplate: '<think>' })).toBeUndefined();
  });
});

describe('inspect', () => {
  it('names the texts that no chat keeps apart, and those of the template among them', async () => {
    const output = await inspect(await modelWith(thinking, '<|im_start|>{{ m }}§'));
    expect(output).toMatch(/^Control tokens +3, plain text where a user of a chat writes them$/m);
    expect(output).toMatch(/^Found in any text +3 other tokens: "§" "\\n\\n" "<table>"$/m);
    expect(output).toMatch(/^Template safety +users can write its marks "§"$/m);
  });

  it('says so where users cannot write the marks of the template', async () => {
    const output = await inspect(await modelWith(thinking, '<|im_start|>{{ m }}'));
    expect(output).toMatch(/^Template safety +users cannot write its marks$/m);
    const bare = await inspect(await modelWith(thinking.slice(0, 3)));
    expect(bare).not.toMatch(/Found in any text|Template safety/);
  });

  it('tells all of it as JSON', async () => {
    const report = await modelWith(thinking, '§');
    expect(JSON.parse(await inspect(report, '--json'))).toMatchObject({
      specialTokens: { uncoveredInTemplate: ['§'] },
    });
  });
});

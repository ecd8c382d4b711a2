import { readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAssignment } from '../../lib/cli/inspect/parse-assignment.js';
import { runCommandLine } from '../../lib/cli/program.js';
import {
  editGgufMetadata,
  type GgufTensorInput,
  mergeGguf,
  readGgufHeader,
  splitGguf,
} from '../../lib/gguf/index.js';
import { createTestContext } from '../helpers/cli-context.js';
import { filledTensor, temporaryFile, writeTinyModel } from '../helpers/gguf-files.js';

const tensors: readonly GgufTensorInput[] = [1, 2, 3].map((size) =>
  filledTensor(`tensor ${size}`, [100_000 * size], 'F32', 400_000 * size),
);

async function run(...programArguments: string[]) {
  const context = createTestContext({ library: { editGgufMetadata, mergeGguf, readGgufHeader, splitGguf } });
  const exitCode = await runCommandLine(['gguf', ...programArguments], context);
  return { exitCode, output: context.outputStream.text, notes: context.notesStream.text };
}

describe('gguf', () => {
  it('splits by megabytes and merges again', async () => {
    const model = await writeTinyModel({}, tensors);
    const folder = dirname(await temporaryFile());
    const { output, exitCode } = await run('split', model, join(folder, 'x'), '--max-size', '1.2');
    const paths = output.trim().split('\n');
    expect(exitCode).toBe(0);
    expect(await readdir(folder)).toEqual(['x-00001-of-00002.gguf', 'x-00002-of-00002.gguf']);
    const merged = join(folder, 'merged.gguf');
    expect(await run('merge', paths[0] ?? '', merged, '--json')).toMatchObject({ exitCode: 0, notes: '' });
    expect((await readGgufHeader(merged)).tensors).toHaveLength(3);
    expect((await run('merge', paths[0] ?? '', merged)).notes).toContain('code: OUTPUT_EXISTS');
    expect((await run('merge', paths[0] ?? '', merged, '--overwrite')).exitCode).toBe(0);
  });

  it('sets values, removes keys and puts in a chat template', async () => {
    const model = await writeTinyModel({}, tensors);
    const output = await temporaryFile();
    const template = await temporaryFile('template.jinja');
    await writeFile(template, '{{ 模板 }}');
    const result = await run(
      ...['set', model, output, 'general.name=a=b', 'my.flag:bool=true', 'llama.context_length=64'],
      ...['--remove', 'general.file_type', '--chat-template-file', template],
    );
    expect(result).toMatchObject({ exitCode: 0, output: `${output}\n` });
    const { metadata } = await readGgufHeader(output);
    expect(metadata.get('general.name')).toEqual({ type: 'string', value: 'a=b' });
    expect(metadata.get('my.flag')).toEqual({ type: 'bool', value: true });
    expect(metadata.get('llama.context_length')).toEqual({ type: 'uint32', value: 64 });
    expect(metadata.has('general.file_type')).toBe(false);
    expect(metadata.get('tokenizer.chat_template')?.value).toBe('{{ 模板 }}');
  });

  it.each([
    ['a key without a type', 'new.key=1', 'its type is needed'],
    ['no assignment', 'general.name', 'Expected key=value'],
    ['a list', 'tokenizer.ggml.tokens=x', 'cannot be set here'],
    ['a word for a number', 'llama.context_length=long', 'a whole number'],
    ['a number for a flag', 'x:bool=1', 'true or false'],
    ['a number out of range', 'x:uint8=300', 'uint8'],
  ])('refuses %s, and writes nothing', async (_name, value, message) => {
    const model = await writeTinyModel();
    const output = await temporaryFile();
    const result = await run('set', model, output, value);
    expect(result.exitCode).not.toBe(0);
    expect(result.notes).toContain(message);
    expect(await readdir(dirname(output))).toEqual([]);
  });

  it('refuses to remove a key that is not there', async () => {
    const result = await run('set', await writeTinyModel(), await temporaryFile(), '--remove', 'no.key');
    expect(result.notes).toContain('no key no.key');
  });
});

describe('an assignment', () => {
  it('keeps large numbers whole, and colons and equals signs in values', () => {
    const none = new Map();
    expect(parseAssignment('a:uint64=18446744073709551615', none).input.value).toBe(2n ** 64n - 1n);
    expect(parseAssignment('a:string=b:c=d', none)).toEqual({
      key: 'a',
      input: { type: 'string', value: 'b:c=d' },
    });
    expect(parseAssignment('a:float32=1e-5', none).input.value).toBe(1e-5);
  });
});

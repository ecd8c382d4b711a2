import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseModelSource } from '../../lib/hub/index.js';
import { formatHubSource, isSafePath } from '../../lib/hub/source.js';
import { setEnvironment } from '../helpers/hub-fixtures.js';

describe('the name of a model', () => {
  it.each([
    ['hf:owner/repo', { repository: 'owner/repo' }],
    ['HF://owner/repo-GGUF', { repository: 'owner/repo-GGUF' }],
    ['hf:owner/repo:Q4_K_M', { repository: 'owner/repo', quantization: 'Q4_K_M' }],
    ['hf:owner/repo:sub/file.GGUF', { repository: 'owner/repo', file: 'sub/file.GGUF' }],
    ['hf:owner/repo@v1.0:iq4_xs', { repository: 'owner/repo', revision: 'v1.0', quantization: 'iq4_xs' }],
    ['hf:owner/repo@refs/pr/3', { repository: 'owner/repo', revision: 'refs/pr/3' }],
    ['https://huggingface.co/owner/repo', { repository: 'owner/repo' }],
    ['https://huggingface.co/owner/repo/tree/dev', { repository: 'owner/repo', revision: 'dev' }],
    [
      'https://huggingface.co/owner/repo/resolve/refs%2Fpr%2F3/a/b%20c.gguf?download=true',
      { repository: 'owner/repo', revision: 'refs/pr/3', file: 'a/b c.gguf' },
    ],
    [
      'https://hf.co/owner/repo/blob/main/file.gguf',
      { repository: 'owner/repo', revision: 'main', file: 'file.gguf' },
    ],
  ])('%s is on the hub', (text, expected) => {
    expect(parseModelSource(text)).toEqual({ kind: 'hub', ...expected });
  });

  it.each([
    'https://example.com/a/b/resolve/main/model.gguf',
    'http://127.0.0.1:8080/model.gguf',
    'http://localhost/model.gguf',
    'http://[::1]:1/model.gguf',
  ])('%s is a web address', (text) => {
    expect(parseModelSource(text)).toEqual({ kind: 'url', url: text });
  });

  it.each([
    ['model.gguf', resolve('model.gguf')],
    ['./owner/repo', resolve('owner/repo')],
    ['~', homedir()],
    ['~/models/a.gguf', join(homedir(), 'models', 'a.gguf')],
    ['~other/a.gguf', resolve('~other/a.gguf')],
    [pathToFileURL(resolve('a b.gguf')).href, resolve('a b.gguf')],
    ['hf-model.gguf', resolve('hf-model.gguf')],
  ])('%s is a path', (text, path) => {
    expect(parseModelSource(text)).toEqual({ kind: 'file', path });
  });

  it.each([
    '',
    '  ',
    'a\0b',
    'hf:',
    'hf:name',
    'hf:a/b/c',
    'hf:../..',
    'hf:owner/repo:',
    'hf:owner/repo:../up.gguf',
    'hf:owner/repo:/abs.gguf',
    'hf:owner/repo:a\\..\\b.gguf',
    'hf:owner/repo:not a quantization',
    'hf:owner/repo@../x',
    'hf:owner/repo@',
    'https://',
    'https://huggingface.co/owner',
    'https://huggingface.co/owner/repo/resolve/main/readme.md',
    'https://huggingface.co/owner/repo/resolve/main/%E0%A4%A.gguf',
    'https://huggingface.co/owner/repo/discussions',
    'http://example.com/model.gguf',
    'ftp://example.com/model.gguf',
    's3://bucket/model.gguf',
  ])('%j is refused as SOURCE_INVALID, saying what was expected', (text) => {
    expect(() => parseModelSource(text)).toThrow(
      expect.objectContaining({ code: 'SOURCE_INVALID', message: expect.stringContaining('hf:owner/repo') }),
    );
  });

  it('may be an address on the mirror that HF_ENDPOINT names', () => {
    setEnvironment({ HF_ENDPOINT: 'http://mirror.example:8080' });
    expect(parseModelSource('http://mirror.example:8080/owner/repo/resolve/main/x.gguf')).toEqual({
      kind: 'hub',
      repository: 'owner/repo',
      revision: 'main',
      file: 'x.gguf',
    });
  });

  it.each(['hf:owner/repo', 'hf:owner/repo@main:Q8_0', 'hf:owner/repo:a/b.gguf'])(
    '%s survives being written',
    (text) => {
      const parsed = parseModelSource(text);
      expect(parsed.kind === 'hub' && formatHubSource(parsed)).toBe(text);
    },
  );
});

describe('a path from a repository', () => {
  it.each(['a.gguf', 'a/b/c.gguf', 'a..b/c', '.hidden'])('%s stays inside', (path) => {
    expect(isSafePath(path)).toBe(true);
  });

  it.each([
    '',
    '..',
    '../a',
    'a/../../b',
    '/a',
    'a//b',
    './a',
    'C:/a',
    'a/C:b',
    '\\\\host\\a',
    'a\\b',
    'a\0',
  ])('%j is refused', (path) => {
    expect(isSafePath(path)).toBe(false);
  });
});

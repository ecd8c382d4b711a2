import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const root = dirname(dirname(import.meta.dirname));
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'llama-native-vendor-'));
  cpSync(join(root, 'scripts'), join(directory, 'scripts'), { recursive: true });
  cpSync(join(root, '.gitmodules'), join(directory, '.gitmodules'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

function vendor(place: string, ...flags: string[]): { status: number | null; output: string } {
  const script = join(place, 'scripts', 'vendor.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...flags], { encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

function makeRepository(): void {
  spawnSync('git', ['init', '--quiet', directory]);
}

function writeChangedSources(): string {
  const path = join(directory, 'vendor', 'llama.cpp', 'README.md');
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, 'a line of mine\n');
  return path;
}

describe('The vendored sources', () => {
  it.skipIf(process.platform === 'win32')(
    'of this checkout are the pinned release, byte for byte',
    () => {
      const { status, output } = vendor(root, '--check');
      expect(output).toContain('tree fd570ef54b10ec5fecb739e7e04c8ce44a6f415a');
      expect(status).toBe(0);
    },
    60_000,
  );

  it('that someone has changed are refused and left alone', () => {
    makeRepository();
    const path = writeChangedSources();
    const { status, output } = vendor(directory);
    expect(status).toBe(1);
    expect(output).toMatch(/is not llama\.cpp v\S+ as released: its tree is [0-9a-f]{40}, expected fd570ef/);
    expect(output).toContain('npm run vendor -- --force');
    expect(existsSync(path)).toBe(true);
  });

  it('that are missing fail the check with what to type', () => {
    makeRepository();
    const { status, output } = vendor(directory, '--check');
    expect(status).toBe(1);
    expect(output).toContain('vendor/llama.cpp is empty. Fill it with: npm run vendor');
  });

  it('of an npm tarball, which is no git checkout, are left as they came', () => {
    const path = writeChangedSources();
    expect(vendor(directory)).toEqual({ status: 0, output: '' });
    expect(existsSync(path)).toBe(true);
  });
});

import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type ErrorCode, LlamaNativeError } from '../../lib/errors.js';
import { defaultTuning, type Tuning } from '../../lib/hub/settings.js';
import { type HubRepository, HubServer } from './hub-server.js';

export const commit = 'c0ffee0123456789c0ffee0123456789c0ffee01';

/** Short waits, so that a test of many failures takes milliseconds. */
export const fastTuning: Tuning = { ...defaultTuning, attempts: 4, firstDelayMs: 5, maxDelayMs: 20 };

/** Bytes that start like a GGUF file and look random, the same for the same seed. */
export function fakeModel(sizeBytes: number, seed = 'model'): Buffer {
  const blocks = [Buffer.from('GGUF')];
  for (let index = 0; index * 32 < sizeBytes; index++) {
    blocks.push(createHash('sha256').update(`${seed}${index}`).digest());
  }
  return Buffer.concat(blocks).subarray(0, sizeBytes);
}

export const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** SHA-256 of a file. */
export async function hashOf(path: string): Promise<string> {
  return sha256(await readFile(path));
}

/** An empty folder that is gone after the test. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'llama-native-hub-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A hub that is closed after the test. */
export async function startHub(repositories: Record<string, HubRepository> = {}): Promise<HubServer> {
  const hub = await HubServer.start(repositories);
  onTestFinished(() => hub[Symbol.asyncDispose]());
  return hub;
}

/** Sets environment variables for one test; undefined unsets. */
export function setEnvironment(values: Record<string, string | undefined>): void {
  const before = Object.keys(values).map((name) => [name, process.env[name]] as const);
  const assign = (name: string, value: string | undefined) => {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  };
  for (const [name, value] of Object.entries(values)) assign(name, value);
  onTestFinished(() => {
    for (const [name, value] of before) assign(name, value);
  });
}

/** The error that a call ends in, which must have this code. */
export async function errorOf(call: Promise<unknown>, code: ErrorCode): Promise<LlamaNativeError> {
  const outcome = await call.then(
    (value) => new Error(`expected ${code}, but the call returned ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );
  if (LlamaNativeError.isInstance(outcome) && outcome.code === code) return outcome;
  throw outcome;
}

/** All files below a folder that end so. */
export async function filesEndingIn(directory: string, ending: string): Promise<string[]> {
  const names = await readdir(directory, { recursive: true });
  return names.filter((name) => name.endsWith(ending)).map((name) => join(directory, name));
}

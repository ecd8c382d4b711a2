import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { fingerprintModel } from '../../lib/gguf/fingerprint.js';
import { readGgufHeader } from '../../lib/gguf/read-header.js';
import { filledTensor, temporaryFile, text, tinyTensors, writeTinyModel } from '../helpers/gguf-files.js';

async function fingerprintOf(path: string): Promise<string> {
  return (await fingerprintModel(await readGgufHeader(path))).toString('hex');
}

it('copies of a model have one fingerprint; another name, shape or weight gives another', async () => {
  const path = await writeTinyModel();
  const copy = await temporaryFile('copy.gguf');
  await copyFile(path, copy);
  expect(await fingerprintOf(copy)).toBe(await fingerprintOf(path));

  const retrained = await readFile(path);
  const { dataOffset, tensors } = await readGgufHeader(path);
  const [tensor] = tensors;
  const middle = dataOffset + (tensor?.offset ?? 0) + Math.floor((tensor?.byteSize ?? 0) / 2);
  retrained[middle] = (retrained[middle] ?? 0) ^ 1;
  await writeFile(copy, retrained);

  const fingerprints = await Promise.all(
    [
      path,
      copy,
      await writeTinyModel({ 'general.name': text('Tinz') }),
      await writeTinyModel({}, [...tinyTensors, filledTensor('output.weight', [64, 6], 'F16', 768)]),
    ].map(fingerprintOf),
  );
  expect(new Set(fingerprints).size).toBe(4);
});

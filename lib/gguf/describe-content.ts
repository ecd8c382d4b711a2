/** Signatures of files that people take for a GGUF model by mistake. */
const signatures: readonly (readonly [bytes: string, description: string])[] = [
  [
    'version https://git-lfs',
    'it is a Git LFS pointer, not the model itself. Run `git lfs pull`, or download the file.',
  ],
  [
    'PK\x03\x04',
    'it is a ZIP archive, such as a PyTorch checkpoint. Convert it to GGUF, or get a GGUF file.',
  ],
  [
    '\x80\x02',
    'it is a Python pickle, such as an old PyTorch checkpoint. Convert it to GGUF, or get a GGUF file.',
  ],
  ['lmgg', 'it has the old GGML format of before August 2023. Get a GGUF file.'],
  ['fmgg', 'it has the old GGMF format of 2023. Get a GGUF file.'],
  ['tjgg', 'it has the old GGJT format of 2023. Get a GGUF file.'],
  ['algg', 'it is a LoRA adapter in the old GGLA format. Get it as GGUF.'],
  ['\x89HDF', 'it is an HDF5 file, such as Keras weights. Convert it to GGUF, or get a GGUF file.'],
  ['\x1f\x8b', 'it is compressed with gzip. Unpack it first.'],
  ['\x28\xb5\x2f\xfd', 'it is compressed with Zstandard. Unpack it first.'],
  ['7z\xbc\xaf', 'it is a 7-Zip archive. Unpack it first.'],
];

/** Bytes that are looked at to tell what a file is. */
const sampleBytes = 512;

/**
 * Says what a file that does not start with `GGUF` seems to be, and what to do about it.
 *
 * @param start The first bytes of the file, some hundred at least where the file has them.
 */
export function describeContent(start: Buffer, fileSize: number): string {
  if (fileSize === 0) {
    return 'it is empty. Download it again.';
  }
  const sample = start.toString('latin1', 0, sampleBytes);
  const known = signatures.find(([bytes]) => sample.startsWith(bytes));
  if (known !== undefined) {
    return known[1];
  }
  if (isSafetensors(start, fileSize)) {
    return 'it is a safetensors file. Convert it to GGUF, or get a GGUF file.';
  }
  if (/^\0+$/.test(sample)) {
    return 'it starts with zeros, as an interrupted download does. Download it again.';
  }
  return describeText(sample) ?? `it starts with ${hexadecimal(start)}, not with 'GGUF'.`;
}

/** A safetensors file starts with the 64-bit length of a JSON object, then the object. */
function isSafetensors(start: Buffer, fileSize: number): boolean {
  return start.length > 10 && start[8] === 0x7b && start.readBigUInt64LE(0) <= BigInt(fileSize - 8);
}

function describeText(sample: string): string | undefined {
  if (/[^\t\n\r\x20-\x7e\x80-\xff]/.test(sample)) {
    return undefined;
  }
  const text = Buffer.from(sample, 'latin1').toString('utf8').trimStart();
  if (/^<(!doctype html|html|head|\?xml)/i.test(text)) {
    return 'it is a web page, probably the error page of a failed download. Download the file itself.';
  }
  const firstLine = text.split(/[\r\n]/, 1)[0] ?? '';
  const shown = firstLine.length > 60 ? `${firstLine.slice(0, 57)}...` : firstLine;
  return `it is a text file that starts with ${JSON.stringify(shown)}.`;
}

function hexadecimal(start: Buffer): string {
  return [...start.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

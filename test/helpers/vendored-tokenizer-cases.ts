/** The tokenizer cases of llama.cpp: `models/ggml-vocab-*.gguf` with texts in `.inp` and token ids in `.out`. */
import { readdir } from 'node:fs/promises';
import { readVendored, vendoredPath } from './vendored.js';

/** A text and the ids it must become, with no special tokens added or parsed. */
export interface TokenizerCase {
  readonly text: string;
  readonly tokens: readonly number[];
}

/** A vocabulary that comes with cases. */
export interface VocabularyCases {
  /** What stands for the star in `ggml-vocab-*.gguf`. */
  readonly name: string;
  readonly path: string;
  readonly cases: readonly TokenizerCase[];
}

const separator = '\n__ggml_vocab_test__\n';

/** Reads the vocabularies that have cases; some in that folder have none. */
export async function readVocabularyCases(): Promise<VocabularyCases[]> {
  const files = (await readdir(vendoredPath('models'))).sort();
  const vocabularies = files.filter((file) => file.endsWith('.gguf') && files.includes(`${file}.inp`));
  return Promise.all(
    vocabularies.map(async (file) => ({
      name: file.replace(/^ggml-vocab-|\.gguf$/g, ''),
      path: vendoredPath('models', file),
      cases: pairCases(
        file,
        await readVendored('models', `${file}.inp`),
        await readVendored('models', `${file}.out`),
      ),
    })),
  );
}

function pairCases(file: string, input: string, output: string): TokenizerCase[] {
  // tests/test-tokenizer-0.cpp drops what follows the last separator when it is empty, and so is done here.
  const texts = input.split(separator);
  if (texts.at(-1) === '') texts.pop();
  const lines = output.replace(/\n$/, '').split('\n');
  if (texts.length !== lines.length) {
    throw new Error(`${file}: ${texts.length} texts in .inp, but ${lines.length} lines of ids in .out`);
  }
  return texts.map((text, index) => ({
    text,
    tokens: (lines[index] ?? '').split(' ').filter(Boolean).map(Number),
  }));
}

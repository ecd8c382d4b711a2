import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Random } from './gguf-random.js';

/** The files of a checkpoint that tell of special tokens. */
export interface SpecialTokenCase {
  readonly 'tokenizer.json': unknown;
  readonly 'tokenizer_config.json'?: unknown;
  readonly 'config.json': Readonly<Record<string, unknown>>;
}

const texts = ['<s>', '</s>', '[CLS]', '[SEP]', '<eot>', '<q>'];
const start = { Sequence: { id: 'A', type_id: 0 } };
const end = { Sequence: { id: 'B', type_id: 1 } };

/** Cases of every combination of templates, named tokens, flags and ids; the same ones for the same number. */
export function specialTokenCases(count: number): SpecialTokenCase[] {
  const maker = new CaseMaker();
  return Array.from({ length: count }, () => maker.make());
}

class CaseMaker {
  readonly #random = new Random(12);

  make(): SpecialTokenCase {
    const processors = [this.#processor(), this.#processor()];
    const processor = this.#pick([null, ...processors, { type: 'Sequence', processors }]);
    const added = texts
      .filter(() => this.#isTrue(0.9))
      .map((content, index) => ({ id: (3 * index) % 19, content }));
    const model = { type: 'BPE', vocab: { a: 0 }, merges: [] };
    return {
      'tokenizer.json': { model, added_tokens: added, post_processor: processor },
      ...(this.#isTrue(0.85) ? { 'tokenizer_config.json': this.#tokenizerConfig() } : {}),
      'config.json': this.#config(),
    };
  }

  #processor(): unknown {
    const kind = this.#random.next();
    if (kind < 0.05) return { type: 'ByteLevel' };
    if (kind < 0.25) {
      const named = (name: string) => (this.#isTrue(0.8) ? { [name]: [this.#pick(texts), 1] } : {});
      return { type: 'RobertaProcessing', ...named('cls'), ...named('sep') };
    }
    const first = this.#special(0.7);
    const last = this.#special(0.6);
    const [some] = this.#special(1);
    const betweens = [
      [],
      [],
      [some],
      [some, ...this.#special(1)],
      [some, start],
      last,
      [...last, ...first],
      [...last, ...last],
    ];
    const between = this.#pick(betweens);
    const usual = [...first, start, ...between, end, ...last];
    const odd = [...this.#special(0.5), start, ...between, end, ...this.#special(0.5)];
    const pair = this.#pick([usual, usual, usual, odd, [], [start], first, [end, start]]);
    return { type: 'TemplateProcessing', single: [...first, start, ...last], pair };
  }

  #tokenizerConfig(): Record<string, unknown> {
    const config: Record<string, unknown> = {};
    if (this.#isTrue(0.05)) return config;
    for (const kind of ['bos', 'eos', 'unk', 'sep', 'pad', 'cls', 'mask', 'eot']) {
      const objects = texts.map((content) => ({ content }));
      const entry = this.#pick([
        undefined,
        undefined,
        null,
        '',
        ...texts,
        ...texts,
        ...objects,
        { other: 1 },
      ]);
      if (entry !== undefined) config[`${kind}_token`] = entry;
    }
    for (const kind of ['bos', 'eos', 'sep']) {
      if (this.#isTrue(0.15)) config[`add_${kind}_token`] = this.#pick([true, false, null]);
    }
    return config;
  }

  #config(): Record<string, unknown> {
    const config: Record<string, unknown> = {};
    for (const kind of ['bos', 'eos', 'pad', 'sep', 'eot']) {
      if (this.#isTrue(0.4)) config[`${kind}_token_id`] = this.#pick([null, 3, 7, [1, 2], 900]);
    }
    if (this.#isTrue(0.3)) config.text_config = { eos_token_id: 5, bos_token_id: 4 };
    return config;
  }

  #special(probability: number): unknown[] {
    return this.#isTrue(probability) ? [{ SpecialToken: { id: this.#pick(texts), type_id: 0 } }] : [];
  }

  #pick<Value>(values: readonly Value[]): Value {
    return values[Math.floor(this.#random.next() * values.length)] as Value;
  }

  #isTrue(probability: number): boolean {
    return this.#random.next() < probability;
  }
}

/** Writes the files of a case into a new folder. */
export async function writeSpecialTokenCase(folder: string, files: SpecialTokenCase): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(folder, name), JSON.stringify(content));
  }
}

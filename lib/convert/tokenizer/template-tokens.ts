import { isJsonObject, type JsonObject } from '../checkpoint/index.js';
import type { TokenizerFiles } from './tokenizer-files.js';

/** What the post-processor of a tokenizer.json tells of special tokens. */
export interface TemplateTokens {
  readonly areAdded: ReadonlyMap<string, boolean>;
  /** tokenizer_config.json, completed by what the post-processor does. */
  readonly config: JsonObject | undefined;
  /** Kinds of tokens to look for; more than were asked for, where an end token turns out to be the end of a turn. */
  readonly kinds: readonly string[];
}

/**
 * Reads which tokens are put around texts. Source: `SpecialVocab` in gguf-py/gguf/vocab.py, whose outcome the tests
 * compare in some hundreds of cases.
 */
export function findTemplateTokens(files: TokenizerFiles, kinds: readonly string[]): TemplateTokens {
  const reader = new TemplateReader(files.config, kinds);
  if (files.json !== undefined) {
    reader.fillGaps();
    for (const processor of processorsOf(files.json.post_processor)) reader.read(processor);
  }
  return reader;
}

function processorsOf(postProcessor: unknown): JsonObject[] {
  if (!isJsonObject(postProcessor)) return [];
  const { processors } = postProcessor;
  return (Array.isArray(processors) ? processors : [postProcessor]).filter(isJsonObject);
}

class TemplateReader implements TemplateTokens {
  readonly areAdded = new Map<string, boolean>();
  readonly config: Record<string, unknown> | undefined;
  kinds: readonly string[];
  /** Without tokenizer_config.json: what closed a text, until a processor says otherwise. */
  #end: string | undefined;

  constructor(config: JsonObject | undefined, kinds: readonly string[]) {
    // One that says nothing is none.
    this.config = config === undefined || Object.keys(config).length === 0 ? undefined : { ...config };
    this.kinds = kinds;
  }

  /** BERT has no bos and eos, and uses cls and sep as such. */
  fillGaps(): void {
    if (this.config === undefined) return;
    if (!this.config.bos_token && this.config.cls_token) this.config.bos_token = this.config.cls_token;
    if (!this.config.eos_token && this.config.sep_token) this.config.eos_token = this.config.sep_token;
  }

  read(processor: JsonObject): void {
    if (processor.type === 'RobertaProcessing') this.#readPairs(processor);
    if (processor.type === 'TemplateProcessing') this.#readTemplate(processor);
  }

  #readPairs({ cls, sep }: JsonObject): void {
    for (const kind of ['bos', 'eos', 'sep']) this.areAdded.set(kind, true);
    if (this.config === undefined) return;
    const { bos_token: bos, eos_token: eos } = this.config;
    if (!this.config.cls_token) this.config.cls_token = Array.isArray(cls) ? cls[0] : bos;
    if (!this.config.sep_token) this.config.sep_token = Array.isArray(sep) ? sep[0] : eos;
  }

  #readTemplate({ single, pair }: JsonObject): void {
    const pieces = Array.isArray(single) && single.length > 1 ? single : [];
    const first = specialOf(pieces[0]);
    const last = specialOf(pieces.at(-1));
    if (first !== undefined) this.#readFirst(first);
    if (last !== undefined) this.#readLast(last);
    if (Array.isArray(pair) && pair.length > 0) this.#readPair(pair, first, last);
  }

  #readFirst(first: string): void {
    const { config } = this;
    if (config === undefined) {
      this.areAdded.set('bos', true);
      return;
    }
    if (first !== config.bos_token && first !== config.cls_token) {
      config.bos_token ||= first;
      config.cls_token ||= first;
    }
    this.areAdded.set('bos', first === config.bos_token || first === config.cls_token);
  }

  /** What closes every text is its end; the token that was called so then ends a turn. */
  #readLast(last: string): void {
    const { config } = this;
    this.#end = last;
    if (config !== undefined && last !== config.eos_token) {
      const kind = this.kinds.includes('eot') ? 'eom' : 'eot';
      if (!this.kinds.includes(kind)) {
        this.kinds = [...this.kinds, kind];
        config[`${kind}_token`] = config.eos_token;
      }
      config.eos_token = last;
    }
    this.areAdded.set('eos', true);
  }

  /** Whether something stands between two texts. */
  #readPair(pair: readonly unknown[], first: string | undefined, last: string | undefined): void {
    const start = first !== undefined && specialOf(pair[0]) === first ? 1 : 0;
    const stop = last !== undefined && specialOf(pair.at(-1)) === last ? -1 : pair.length;
    const inner = pair.slice(start, stop);
    if (sequenceOf(inner[0]) !== 'A' || sequenceOf(inner.at(-1)) !== 'B') return;
    const between = inner.slice(1, -1);
    if (between.length === 0) return;
    const separators = [
      this.config?.sep_token,
      this.config === undefined ? this.#end : this.config.eos_token,
    ];
    const isSeparator = (piece: unknown) => {
      const special = specialOf(piece);
      return special !== undefined && separators.includes(special);
    };
    const isAdded =
      (isSeparator(between[0]) && last === undefined) || (between.length === 2 && isSeparator(between[1]));
    this.areAdded.set('sep', isAdded);
    if (isAdded && this.config !== undefined) this.config.sep_token ||= this.config.eos_token;
  }
}

function specialOf(piece: unknown): string | undefined {
  const id = isJsonObject(piece) && isJsonObject(piece.SpecialToken) ? piece.SpecialToken.id : undefined;
  return typeof id === 'string' && id !== '' ? id : undefined;
}

function sequenceOf(piece: unknown): unknown {
  return isJsonObject(piece) && isJsonObject(piece.Sequence) ? piece.Sequence.id : undefined;
}

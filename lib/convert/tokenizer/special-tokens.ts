import { isJsonObject, type JsonObject } from '../checkpoint/index.js';
import type { MetadataBuilder } from '../metadata-builder.js';
import { findTemplateTokens } from './template-tokens.js';
import { type ChatTemplate, readTemplates, type TokenizerFiles } from './tokenizer-files.js';

/** Tokens with a meaning, whether they are put around texts, merges and the chat template. */
export interface SpecialTokens {
  readonly ids: ReadonlyMap<string, number>;
  readonly areAdded: ReadonlyMap<string, boolean>;
  readonly chatTemplate: ChatTemplate | undefined;
  readonly lowercase: boolean | undefined;
  readonly stripAccents: boolean | undefined;
}

const kinds = ['bos', 'eos', 'unk', 'sep', 'pad', 'cls', 'mask'];

/** Kinds for which GGUF has a key. */
const idKeys: Readonly<Record<string, string>> = {
  bos: 'tokenizer.ggml.bos_token_id',
  eos: 'tokenizer.ggml.eos_token_id',
  eot: 'tokenizer.ggml.eot_token_id',
  eom: 'tokenizer.ggml.eom_token_id',
  unk: 'tokenizer.ggml.unknown_token_id',
  sep: 'tokenizer.ggml.seperator_token_id',
  pad: 'tokenizer.ggml.padding_token_id',
  mask: 'tokenizer.ggml.mask_token_id',
};

const addKeys: Readonly<Record<string, string>> = {
  bos: 'tokenizer.ggml.add_bos_token',
  eos: 'tokenizer.ggml.add_eos_token',
  sep: 'tokenizer.ggml.add_sep_token',
};

/**
 * Finds special tokens in tokenizer.json, tokenizer_config.json and config.json; the first that names one wins.
 * Source: `SpecialVocab` in gguf-py/gguf/vocab.py of the pinned llama.cpp.
 * @param tokenCount ids from this on are passed over.
 */
export function findSpecialTokens(
  files: TokenizerFiles,
  tokenCount = Number.POSITIVE_INFINITY,
): SpecialTokens {
  const ids = new Map<string, number>();
  const setId = (kind: string, id: unknown) => {
    if (Number.isInteger(id) && (id as number) >= 0 && (id as number) < tokenCount && !ids.has(kind)) {
      ids.set(kind, id as number);
    }
  };
  const found = findTemplateTokens(files, kinds);
  const areAdded = new Map(found.areAdded);
  if (found.config !== undefined) {
    for (const kind of found.kinds) {
      const isAdded = found.config[`add_${kind}_token`];
      if (typeof isAdded === 'boolean') areAdded.set(kind, isAdded);
      const content = contentOf(found.config[`${kind}_token`]);
      setId(kind, files.model?.addedTokens.find((token) => token.content === content)?.id);
    }
  }
  for (const kind of found.kinds) {
    setId(kind, files.modelConfig[`${kind}_token_id`] ?? textConfigOf(files.modelConfig)[`${kind}_token_id`]);
  }
  const template = files.config?.chat_template;
  return {
    ids,
    areAdded,
    chatTemplate:
      files.config === undefined
        ? undefined
        : template === undefined
          ? files.chatTemplate
          : readTemplates(template),
    ...normalizerFlags(files.json?.normalizer),
  };
}

function contentOf(entry: unknown): string | undefined {
  if (typeof entry === 'string') return entry;
  return isJsonObject(entry) && typeof entry.content === 'string' ? entry.content : undefined;
}

function textConfigOf(config: JsonObject): JsonObject {
  return isJsonObject(config.text_config) ? config.text_config : {};
}

type NormalizerFlags = Pick<SpecialTokens, 'lowercase' | 'stripAccents'>;

function normalizerFlags(normalizer: unknown, depth = 0): NormalizerFlags {
  const none: NormalizerFlags = { lowercase: undefined, stripAccents: undefined };
  if (!isJsonObject(normalizer) || depth > 8) return none;
  switch (normalizer.type) {
    case 'Lowercase':
      return { ...none, lowercase: true };
    case 'StripAccents':
      return { ...none, stripAccents: true };
    case 'BertNormalizer':
      return {
        lowercase: typeof normalizer.lowercase === 'boolean' ? normalizer.lowercase : undefined,
        stripAccents: typeof normalizer.strip_accents === 'boolean' ? normalizer.strip_accents : undefined,
      };
    case 'Sequence': {
      const parts = Array.isArray(normalizer.normalizers) ? normalizer.normalizers : [];
      return parts.reduce((flags: NormalizerFlags, part) => {
        const { lowercase, stripAccents } = normalizerFlags(part, depth + 1);
        return { lowercase: lowercase ?? flags.lowercase, stripAccents: stripAccents ?? flags.stripAccents };
      }, none);
    }
    default:
      return none;
  }
}

/** Writes special tokens as GGUF has them. */
export function addSpecialTokens(metadata: MetadataBuilder, tokens: SpecialTokens): void {
  for (const [kind, id] of tokens.ids) {
    const key = idKeys[kind];
    if (key !== undefined) metadata.uint32(key, id);
  }
  for (const [kind, isAdded] of tokens.areAdded) {
    const key = addKeys[kind];
    if (key !== undefined) metadata.bool(key, isAdded);
  }
  addChatTemplate(metadata, tokens.chatTemplate);
  metadata.bool('tokenizer.ggml.normalizer.lowercase', tokens.lowercase);
  metadata.bool('tokenizer.ggml.normalizer.strip_accents', tokens.stripAccents);
}

function addChatTemplate(metadata: MetadataBuilder, templates: ChatTemplate | undefined): void {
  if (templates === undefined) return;
  if (typeof templates === 'string') {
    metadata.string('tokenizer.chat_template', templates);
    return;
  }
  const names = new Set<string>();
  for (const { name, template } of templates) {
    const plainName = name.replace(/[^A-Za-z0-9]/gu, '_');
    if (plainName === '' || plainName === 'default') continue;
    names.add(plainName);
    metadata.string(`tokenizer.chat_template.${plainName}`, template);
  }
  metadata.strings('tokenizer.chat_templates', [...names]);
  metadata.string('tokenizer.chat_template', templates.find(({ name }) => name === 'default')?.template);
}

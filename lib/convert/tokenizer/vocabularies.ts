import type { VocabularyOptions } from '../architectures/layout.js';
import { invalidCheckpoint } from '../checkpoint/index.js';
import type { ModelConfig } from '../config/model-config.js';
import type { MetadataBuilder } from '../metadata-builder.js';
import { fallbackTokens, isSentencePieceJson, mergeTexts, plainTokens } from './merge-tokens.js';
import { identifyPreTokenizer } from './pre-tokenizer.js';
import type { SentencePiece } from './sentencepiece-model.js';
import { pieceTypes } from './sentencepiece-model.js';
import { phi3Tokens, sentencePieceTokens } from './sentencepiece-tokens.js';
import { addSpecialTokens, findSpecialTokens } from './special-tokens.js';
import type { TokenList } from './token-list.js';
import type { TokenizerFiles } from './tokenizer-files.js';

type AddVocabulary = (
  metadata: MetadataBuilder,
  files: TokenizerFiles,
  config: ModelConfig,
  options: VocabularyOptions,
) => Promise<void>;

/** Source: `LlamaModel.set_vocab` in conversion/llama.py. */
export const addLlamaVocabulary: AddVocabulary = async (metadata, files, config, options) => {
  const addPrefix = files.config?.add_prefix_space;
  if (typeof addPrefix === 'boolean') metadata.bool('tokenizer.ggml.add_space_prefix', addPrefix);
  if (files.pieces !== undefined) {
    addScored(metadata, files, sentencePieceTokens(files, files.pieces, config));
  } else if (files.model !== undefined && isSentencePieceJson(files)) {
    addScored(metadata, files, fallbackTokens(files, files.model));
  } else {
    addMerged(metadata, files, config, options);
  }
  // Code Llama fills gaps with tokens that no file tells of.
  if (config.values.vocab_size === 32_016) metadata.uint32('tokenizer.ggml.eot_token_id', 32_010);
  // SmolLM and small Granite models were trained without a token at the beginning.
  if (config.values.vocab_size === 49_152) metadata.bool('tokenizer.ggml.add_bos_token', false);
};

/** tokenizer.model if there is one, tokenizer.json otherwise. */
export const addSentencePieceOrMerges: AddVocabulary = async (metadata, files, config, options) => {
  if (files.pieces === undefined) addMerged(metadata, files, config, options);
  else addScored(metadata, files, sentencePieceTokens(files, files.pieces, config));
};

export const addGemma2Vocabulary: AddVocabulary = async (metadata, files, config) => {
  addScored(metadata, files, sentencePieceTokens(files, requirePieces(files), config));
  metadata.bool('tokenizer.ggml.add_space_prefix', false);
};

export const addGemma3Vocabulary: AddVocabulary = async (metadata, files, config, options) => {
  await addSentencePieceOrMerges(metadata, files, config, options);
  if (files.pieces !== undefined) metadata.bool('tokenizer.ggml.add_space_prefix', false);
};

/** Phi 4 has the tokenizer of GPT-2, those before it SentencePiece. */
export const addPhi3Vocabulary: AddVocabulary = async (metadata, files, config, options) => {
  if (files.config?.tokenizer_class === 'GPT2Tokenizer') addMerged(metadata, files, config, options);
  else addScored(metadata, files, phi3Tokens(files, requirePieces(files), config));
};

/** Pieces that begin a word get a mark, others lose theirs. Source: `BertModel.set_vocab` in conversion/bert.py. */
export const addBertVocabulary: AddVocabulary = async (metadata, files, config, options) => {
  const { model, json } = files.requireModel();
  const tokens = plainTokens(model, config);
  metadata.uint32('tokenizer.ggml.token_type_count', config.count('type_vocab_size') ?? 1);
  for (let id = 0; id < tokens.length; id++) {
    const text = tokens.texts[id] as string;
    if (tokens.types[id] === pieceTypes.control) continue;
    tokens.texts[id] = text.startsWith('##') ? text.slice(2) : `\u2581${text}`;
  }
  const preTokenizer = options.preTokenizer ?? identifyPreTokenizer(files.folder, json, model);
  tokens.addTo(metadata, 'bert', preTokenizer, false);
  addSpecialTokens(metadata, findSpecialTokens(files, tokens.length));
};

function addScored(metadata: MetadataBuilder, files: TokenizerFiles, tokens: TokenList): void {
  tokens.addTo(metadata, 'llama', 'default', true);
  addSpecialTokens(metadata, findSpecialTokens(files, tokens.length));
}

function addMerged(
  metadata: MetadataBuilder,
  files: TokenizerFiles,
  config: ModelConfig,
  options: VocabularyOptions,
): void {
  const { model, json } = files.requireModel();
  const preTokenizer = options.preTokenizer ?? identifyPreTokenizer(files.folder, json, model);
  plainTokens(model, config).addTo(metadata, 'gpt2', preTokenizer, false);
  metadata.strings('tokenizer.ggml.merges', mergeTexts(files));
  addSpecialTokens(metadata, findSpecialTokens(files));
}

function requirePieces(files: TokenizerFiles): readonly SentencePiece[] {
  if (files.pieces !== undefined) return files.pieces;
  throw invalidCheckpoint(files.folder, 'expected a file tokenizer.model; found none. Download it too.');
}

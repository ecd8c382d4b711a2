import { architectureOf, arrayValues } from '../header-values.js';
import { Hyperparameters } from '../hyperparameters.js';
import type { GgufHeader } from '../types.js';
import { type CacheSettings, cellGranularity, roundUp } from './cache-bytes.js';
import type { ModelMemory } from './layer-memory.js';

const floatBytes = 4;

/** Tokens of the vocabulary: as many as the matrix of the token embeddings has columns, where there is one. */
export function vocabularySizeOf(header: GgufHeader): number {
  const embeddings = header.tensors.find(({ name }) => name === 'token_embd.weight');
  const facts = new Hyperparameters(header, architectureOf(header) ?? '');
  const tokens = arrayValues(header, 'tokenizer.ggml.tokens', 'string')?.length;
  return tokens ?? facts.count('vocab_size') ?? embeddings?.dimensions[1] ?? 0;
}

/** Bytes of the logits that an evaluation leaves behind: one row for each sequence (`llama_context::output_reserve`). */
export function outputBytes(header: GgufHeader, sequences: number): number {
  return floatBytes * vocabularySizeOf(header) * sequences;
}

/**
 * An estimate of the buffer for intermediate results. llama.cpp reserves it for the evaluation of one whole batch, and
 * places results where earlier ones are no longer needed, so that it is as large as the largest moment is: the logits of
 * all tokens beside some copies of the hidden state; or one layer, when its feed-forward network is computed while the
 * attention mask is kept for the layers that follow. The factors were measured; test/integration/memory.test.ts holds
 * them against llama.cpp.
 */
export function computeBytes(header: GgufHeader, memory: ModelMemory, settings: CacheSettings): number {
  const tokens = Math.min(settings.batchSize, settings.contextSize);
  const logits = vocabularySizeOf(header) + 3 * widthOf(header);
  const perToken = floatBytes * Math.max(logits, layerElements(header, memory));
  const withoutMask = floatBytes * layerElements(header, memory) * tokens;
  return Math.max(perToken * tokens, withoutMask + maskBytes(memory, settings, tokens));
}

/** Elements of 16 bits: one for each token of the batch and each cell, for full and for windowed layers apart. */
function maskBytes(memory: ModelMemory, settings: CacheSettings, tokens: number): number {
  if (memory.attention.length === 0) return 0;
  const full = memory.attention.some(({ isWindowed }) => !isWindowed) ? settings.contextSize : 0;
  const wanted = (memory.window?.length ?? 0) * settings.sequences + settings.batchSize;
  const inWindow = settings.fullWindow
    ? settings.contextSize
    : roundUp(Math.min(settings.contextSize, wanted), cellGranularity);
  const windowed = memory.attention.some(({ isWindowed }) => isWindowed) ? inWindow : 0;
  return 2 * tokens * (full + windowed);
}

function widthOf(header: GgufHeader): number {
  return new Hyperparameters(header, architectureOf(header) ?? '').count('embedding_length') ?? 0;
}

/** What is held of each token at once while a layer is computed. */
function layerElements(header: GgufHeader, memory: ModelMemory): number {
  const facts = new Hyperparameters(header, architectureOf(header) ?? '');
  const width = widthOf(header);
  const feedForward = Math.max(0, ...facts.perLayer('feed_forward_length'));
  const used = Math.max(0, ...facts.perLayer('expert_used_count'));
  const expert = Math.max(0, ...facts.perLayer('expert_feed_forward_length')) || feedForward;
  const experts = used === 0 ? 0 : used * (3 * expert + 2 * width);
  const inner = facts.count('ssm.inner_size') ?? 0;
  const states = memory.states.length === 0 ? 0 : 6 * inner;
  return 4 * width + Math.max(3 * feedForward, experts, states);
}

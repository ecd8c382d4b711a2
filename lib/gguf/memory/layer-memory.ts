import { architectureOf } from '../header-values.js';
import { Hyperparameters } from '../hyperparameters.js';
import type { GgufHeader } from '../types.js';
import {
  architecturesWithFullIndexerCache,
  architecturesWithIndexer,
  architecturesWithLatentAttention,
  architecturesWithoutMemory,
  hybridArchitectures,
  recurrentArchitectures,
} from './memory-rules.js';
import { findSlidingWindow, type SlidingWindow } from './sliding-window.js';

/** Keys and values that one layer keeps of each token, in elements. */
export interface AttentionMemory {
  readonly layer: number;
  readonly keyLength: number;
  /** 0 where values are made of the keys (latent attention). */
  readonly valueLength: number;
  /** Only tokens in the window are kept, if the context is created so. */
  readonly isWindowed: boolean;
}

/** What one layer keeps of a whole sequence, whatever its length, in 32-bit elements. */
export interface StateMemory {
  readonly layer: number;
  /** The last inputs of a convolution or token shift. */
  readonly convolutionLength: number;
  readonly stateLength: number;
}

/** What a model remembers of the tokens it has read. */
export interface ModelMemory {
  readonly layers: number;
  readonly attention: readonly AttentionMemory[];
  readonly states: readonly StateMemory[];
  readonly window: SlidingWindow | undefined;
}

/**
 * Which memory each layer of a model has. Follows `llama_model::create_memory` in src/llama-model.cpp and the
 * constructors of `llama_kv_cache` and `llama_memory_recurrent` of the pinned llama.cpp.
 */
export function describeMemory(header: GgufHeader): ModelMemory {
  return new MemoryLayout(new Hyperparameters(header, architectureOf(header) ?? '')).describe();
}

class MemoryLayout {
  readonly #facts: Hyperparameters;
  /** All layers, and those of them that the main model is made of: others predict further tokens. */
  readonly #allLayers: number;
  readonly #layers: number;
  readonly #window: SlidingWindow | undefined;
  readonly #heads: readonly number[];
  readonly #keyValueHeads: readonly number[];
  readonly #isHybrid: boolean;
  readonly #isRecurrent: boolean;
  readonly #isLatent: boolean;

  constructor(facts: Hyperparameters) {
    this.#facts = facts;
    const loops = facts.architecture === 'nanbeige' ? (facts.count('num_loops') ?? 1) : 1;
    this.#allLayers = Math.min((facts.count('block_count') ?? 0) * loops, mostLayers);
    this.#layers = this.#allLayers - Math.min(facts.count('nextn_predict_layers') ?? 0, this.#allLayers);
    this.#window = findSlidingWindow(facts, this.#layers);
    this.#heads = facts.perLayer('attention.head_count');
    const keyValueHeads = facts.perLayer('attention.head_count_kv');
    this.#keyValueHeads = keyValueHeads.length > 0 ? keyValueHeads : this.#heads;
    this.#isHybrid = hybridArchitectures.has(facts.architecture);
    this.#isRecurrent = recurrentArchitectures.has(facts.architecture);
    this.#isLatent =
      architecturesWithLatentAttention.has(facts.architecture) &&
      (facts.count('attention.key_length_mla') ?? 0) > 0 &&
      (facts.count('attention.value_length_mla') ?? 0) > 0;
  }

  describe(): ModelMemory {
    const layers = this.#allLayers;
    const window = this.#window;
    if (architecturesWithoutMemory.has(this.#facts.architecture)) {
      return { layers, attention: [], states: [], window };
    }
    const indices = Array.from({ length: layers }, (_, layer) => layer);
    const caching = indices.filter((layer) => this.#hasCache(layer));
    const attention = [
      ...caching.map((layer) => this.#attention(layer)),
      ...indices.filter((layer) => this.#hasIndexer(layer)).map((layer) => this.#indexer(layer)),
      ...this.#router(),
    ];
    const states = indices.filter((layer) => this.#hasState(layer)).map((layer) => this.#state(layer));
    return { layers, attention, states, window };
  }

  #isRecurrentLayer(layer: number): boolean {
    const { architecture } = this.#facts;
    if (this.#isRecurrent || architecture === 'falcon-h1') return true;
    if (!this.#isHybrid || layer >= this.#layers) return false;
    if (intervals[architecture] === undefined) {
      const isEmpty = !architecture.startsWith('nemotron_h') || this.#feedForward(layer) === 0;
      return this.#keyValueHeadsOf(layer) === 0 && isEmpty;
    }
    const listed = this.#facts.perLayer('attention.recurrent_layers');
    if (listed.length > 0) return (listed[layer] ?? listed[0]) === 1;
    const interval = this.#facts.count('full_attention_interval') ?? intervals[architecture];
    return (layer + 1) % interval !== 0;
  }

  #hasState(layer: number): boolean {
    return (this.#isRecurrent || this.#isHybrid) && layer < this.#layers && this.#isRecurrentLayer(layer);
  }

  #hasCache(layer: number): boolean {
    const { architecture } = this.#facts;
    if (this.#isRecurrent || layer >= this.#firstSharedLayer()) return false;
    if (!this.#isHybrid) return layer < this.#layers || architecture === 'hy_v4' || this.#layers === 0;
    if (architecture === 'falcon-h1') return true;
    if (architecture.startsWith('nemotron_h')) {
      return !this.#isRecurrentLayer(layer) && this.#feedForward(layer) === 0;
    }
    if (intervals[architecture] !== undefined && layer >= this.#layers) return false;
    return !this.#isRecurrentLayer(layer);
  }

  /** Layers from here on use the keys and values of earlier ones (`n_layer_kv_from_start`). */
  #firstSharedLayer(): number {
    if (this.#facts.architecture === 'gemma3n') return ownLayersOfGemma3n;
    if (this.#facts.architecture !== 'gemma4') return this.#allLayers;
    return this.#allLayers - (this.#facts.count('attention.shared_kv_layers') ?? 0);
  }

  #attention(layer: number): AttentionMemory {
    const isWindowed = this.#window?.isWindowed(layer) ?? false;
    const heads = this.#keyValueHeadsOf(layer);
    return {
      layer,
      keyLength: heads * this.#headLength('key_length', isWindowed),
      valueLength: this.#isLatent ? 0 : heads * this.#headLength('value_length', isWindowed),
      isWindowed,
    };
  }

  #headLength(name: string, isWindowed: boolean): number {
    const heads = this.#heads[0] ?? 0;
    const width = this.#facts.count('embedding_length') ?? 0;
    const full = this.#facts.count(`attention.${name}`) ?? (heads === 0 ? 0 : Math.floor(width / heads));
    return isWindowed ? (this.#facts.count(`attention.${name}_swa`) ?? full) : full;
  }

  #hasIndexer(layer: number): boolean {
    const { architecture } = this.#facts;
    if (!architecturesWithIndexer.has(architecture) || layer >= this.#layers) return false;
    if (architecture === 'minimax-m3') return layer >= (this.#facts.count('leading_dense_block_count') ?? 0);
    if (architecture === 'qwen4exp') return !this.#isRecurrentLayer(layer);
    if (architecture === 'hy_v4' && (this.#facts.count('attention.indexer.top_k') ?? 0) === 0) return false;
    if (architecture === 'deepseek32') return true;
    const types = this.#facts.perLayer('attention.indexer.types');
    const isFull = types.length === 0 ? architecture === 'glm-dsa' : (types[layer] ?? types[0]) === 1;
    return isFull && !(this.#window?.isWindowed(layer) ?? false);
  }

  /** A key of its own for each token, by which tokens are chosen to attend to. */
  #indexer(layer: number): AttentionMemory {
    const keyLength = this.#facts.count('attention.indexer.key_length') ?? 0;
    const hasValues = architecturesWithFullIndexerCache.has(this.#facts.architecture);
    const valueLength = hasValues ? this.#headLength('value_length', false) : 0;
    return { layer, keyLength, valueLength, isWindowed: false };
  }

  /** The layer behind the last one that chooses adapters. */
  #router(): AttentionMemory[] {
    if (this.#facts.architecture !== 'graniteswitch') return [];
    const [keyLength, valueLength] = [
      this.#headLength('key_length', false),
      this.#headLength('value_length', false),
    ];
    return [{ layer: this.#allLayers, keyLength, valueLength, isWindowed: false }];
  }

  /** `n_embd_r` and `n_embd_s` in src/llama-hparams.cpp. */
  #state(layer: number): StateMemory {
    const count = (name: string) => this.#facts.count(name) ?? 0;
    const width = count('embedding_length');
    const heads = this.#heads[0] ?? 0;
    const kernel = count('ssm.conv_kernel');
    const headLength = count('wkv.head_size');
    if (headLength > 0) {
      const shifts = this.#facts.count('token_shift_count') ?? 2;
      return { layer, convolutionLength: shifts * width, stateLength: width * headLength };
    }
    const shortKernel = count('shortconv.l_cache');
    const inner = count('ssm.inner_size');
    const stateSize = count('ssm.state_size');
    if (shortKernel > 0) {
      return { layer, convolutionLength: width * (shortKernel - 1), stateLength: stateSize * inner };
    }
    const deltaHead = count('kda.head_dim');
    if (deltaHead > 0) {
      const taps = kernel > 0 ? kernel - 1 : 3;
      return {
        layer,
        convolutionLength: 3 * taps * heads * deltaHead,
        stateLength: deltaHead * deltaHead * heads,
      };
    }
    const convolutionLength = Math.max(0, kernel - 1) * (inner + 2 * count('ssm.group_count') * stateSize);
    if (this.#facts.architecture === 'minimax-01') {
      const lightningHead = this.#headLength('key_length', false);
      return { layer, convolutionLength, stateLength: lightningHead * lightningHead * heads };
    }
    return { layer, convolutionLength, stateLength: stateSize * inner };
  }

  #keyValueHeadsOf(layer: number): number {
    return perLayerValue(this.#keyValueHeads, layer);
  }

  #feedForward(layer: number): number {
    return perLayerValue(this.#facts.perLayer('feed_forward_length'), layer);
  }
}

/** `LLAMA_MAX_LAYERS`: more are refused when a model is loaded. */
const mostLayers = 512;

/** Layers of Gemma 3n with keys and values of their own. Source: src/models/gemma3n.cpp. */
const ownLayersOfGemma3n = 20;

/** Hybrids every so many layers of which attend, unless the file lists them. */
const intervals: Readonly<Record<string, number>> = {
  qwen3next: 4,
  qwen35: 4,
  qwen35moe: 4,
  qwen4exp: 4,
  'minimax-01': 8,
};

/** A count that is given once, or for each layer. */
function perLayerValue(values: readonly number[], layer: number): number {
  return (values.length === 1 ? values[0] : values[layer]) ?? 0;
}

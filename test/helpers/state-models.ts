/** Files of the models of model-shapes.ts, with a real vocabulary. */
import { gemmaModel, lfm2Model, llamaModel, mambaModel, rwkvModel } from './model-shapes.js';
import { writeRandomModel } from './random-models.js';

/** Writes a Mamba, whose memory is a state and no KV cache, and returns its path. */
export function writeMambaModel(seed?: number): Promise<string> {
  return writeRandomModel(mambaModel(seed));
}

/** Writes a Llama, whose KV cache holds every token. */
export function writeLlamaModel(seed?: number): Promise<string> {
  return writeRandomModel(llamaModel(seed));
}

/** Writes a Gemma 2, every second layer of which attends to a sliding window. */
export function writeGemmaModel(seed?: number): Promise<string> {
  return writeRandomModel(gemmaModel(seed));
}

/** Writes an LFM2, a hybrid: a layer with a state of short convolutions, and one with attention. */
export function writeLfm2Model(seed?: number): Promise<string> {
  return writeRandomModel(lfm2Model(seed));
}

/** Writes an RWKV 7, recurrent in another way than Mamba. */
export function writeRwkvModel(seed?: number): Promise<string> {
  return writeRandomModel(rwkvModel(seed));
}

/**
 * Names of tensors in Transformers and in llama.cpp, without `.weight` and `.bias`.
 * Source: gguf-py/gguf/tensor_mapping.py and constants.py of the pinned llama.cpp.
 */
export interface NameTable {
  readonly whole: Readonly<Record<string, string>>;
  /** What comes before the number of a layer. */
  readonly layerPrefix: string;
  readonly layer: Readonly<Record<string, string>>;
}

/** Names that all decoders of Transformers in the manner of Llama share. */
export const decoderNames: NameTable = {
  whole: {
    'model.embed_tokens': 'token_embd',
    'model.norm': 'output_norm',
    lm_head: 'output',
  },
  layerPrefix: 'model.layers.',
  layer: {
    input_layernorm: 'attn_norm',
    'self_attn.q_proj': 'attn_q',
    'self_attn.k_proj': 'attn_k',
    'self_attn.v_proj': 'attn_v',
    'self_attn.o_proj': 'attn_output',
    post_attention_layernorm: 'ffn_norm',
    'mlp.gate_proj': 'ffn_gate',
    'mlp.up_proj': 'ffn_up',
    'mlp.down_proj': 'ffn_down',
  },
};

/** The same with other names in the layers. */
export function withLayerNames(table: NameTable, layer: Readonly<Record<string, string>>): NameTable {
  return { ...table, layer: { ...table.layer, ...layer } };
}

/** The name in llama.cpp, or undefined where the table has none or the layer is beyond the last one. */
export function translateName(table: NameTable, name: string, layerCount: number): string | undefined {
  const [, stem, suffix] = /^(.*)(\.weight|\.bias)$/.exec(name) ?? [];
  if (stem === undefined) return undefined;
  const whole = lookUp(table.whole, stem);
  if (whole !== undefined) return whole + suffix;
  if (!stem.startsWith(table.layerPrefix)) return undefined;
  const [, number, part] = /^(\d+)\.(.+)$/.exec(stem.slice(table.layerPrefix.length)) ?? [];
  const translated = part === undefined ? undefined : lookUp(table.layer, part);
  if (translated === undefined || Number(number) >= layerCount) return undefined;
  return `blk.${Number(number)}.${translated}${suffix}`;
}

function lookUp(names: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(names, name) ? names[name] : undefined;
}

const otherSenses =
  /^(mlp|vit\.|vpm\.|siglip2\.|merger\.|resampler\.)|visual\.|vision\.|audio\.|talker\.|vision_|audio_|projector\.|image_newline|patch_embed|patch_merger\.|model\.connector\./;

/** Tensors of encoders for pictures and sound, which a language model's file leaves out, and leftovers. */
export function isOmitted(name: string): boolean {
  return otherSenses.test(name) || /\.(attention\.(masked_)?bias|rotary_emb\.inv_freq)$/.test(name);
}

import { decodeHalf, encodeHalf } from './half.js';
import type { TensorToWrite } from './safetensors.js';

/** How a layer is quantized and stored. */
export interface GptqLayout {
  readonly bits: 4 | 8;
  /** -1 for one group. */
  readonly groupSize: number;
  readonly symmetric: boolean;
  readonly actOrder: boolean;
  readonly format: 'gptq' | 'gptq_v2';
}

/** A quantized layer: its tensors, and its weights in double precision, [outputs, inputs]. */
export interface QuantizedLayer {
  readonly tensors: readonly TensorToWrite[];
  readonly weights: Float64Array;
}

/** What quantize_config.json says of a layout. */
export function quantizeConfig(layout: GptqLayout): Record<string, unknown> {
  return {
    quant_method: 'gptq',
    bits: layout.bits,
    group_size: layout.groupSize,
    sym: layout.symmetric,
    desc_act: layout.actOrder,
    checkpoint_format: layout.format,
    damp_percent: 0.01,
    true_sequential: true,
  };
}

/** Quantizes a matrix [outputs, inputs] by rounding to the nearest, in the layout that AutoGPTQ stores. */
export function quantizeLayer(
  name: string,
  matrix: Float32Array,
  outputs: number,
  inputs: number,
  layout: GptqLayout,
): QuantizedLayer {
  const groups = groupsOf(inputs, layout);
  const groupCount = Math.max(...groups) + 1;
  const scales = new Uint16Array(groupCount * outputs);
  const zeros = new Uint8Array(groupCount * outputs);
  const members = Array.from({ length: groupCount }, (_, group) =>
    Array.from(groups.keys()).filter((input) => groups[input] === group),
  );
  for (let output = 0; output < outputs; output++) {
    for (const [group, inputsOfGroup] of members.entries()) {
      const values = inputsOfGroup.map((input) => matrix[output * inputs + input] as number);
      const { scale, zero } = rangeOf(values, layout);
      scales[group * outputs + output] = encodeHalf(scale);
      zeros[group * outputs + output] = zero;
    }
  }
  const numbers = new Uint8Array(outputs * inputs);
  const weights = new Float64Array(outputs * inputs);
  const largest = 2 ** layout.bits - 1;
  for (let output = 0; output < outputs; output++) {
    for (let input = 0; input < inputs; input++) {
      const at = (groups[input] as number) * outputs + output;
      const scale = decodeHalf(scales[at] as number);
      const zero = zeros[at] as number;
      const number = Math.round((matrix[output * inputs + input] as number) / scale) + zero;
      const stored = Math.min(largest, Math.max(0, number));
      numbers[output * inputs + input] = stored;
      weights[output * inputs + input] = scale * (stored - zero);
    }
  }
  return {
    tensors: pack(name, { numbers, scales, zeros, groups, outputs, inputs, groupCount, layout }),
    weights,
  };
}

/** With act-order, groups are runs of a shuffled order of the inputs. */
function groupsOf(inputs: number, { groupSize, actOrder }: GptqLayout): Int32Array {
  const size = groupSize === -1 ? inputs : groupSize;
  const groups = new Int32Array(inputs);
  for (let place = 0; place < inputs; place++) {
    const input = actOrder ? (place * 37 + 11) % inputs : place;
    groups[input] = Math.floor(place / size);
  }
  return groups;
}

function rangeOf(
  values: readonly number[],
  { bits, symmetric }: GptqLayout,
): { scale: number; zero: number } {
  const largest = 2 ** bits - 1;
  const low = Math.min(0, ...values);
  const high = Math.max(0, ...values);
  if (symmetric) return { scale: halfOf((2 * Math.max(-low, high)) / largest || 1), zero: 2 ** (bits - 1) };
  const scale = halfOf((high - low) / largest || 1);
  return { scale, zero: Math.min(largest, Math.round(-low / scale)) };
}

const halfOf = (value: number) => decodeHalf(encodeHalf(value));

interface Parts {
  readonly numbers: Uint8Array;
  readonly scales: Uint16Array;
  readonly zeros: Uint8Array;
  readonly groups: Int32Array;
  readonly outputs: number;
  readonly inputs: number;
  readonly groupCount: number;
  readonly layout: GptqLayout;
}

function pack(name: string, parts: Parts): TensorToWrite[] {
  const { numbers, scales, zeros, groups, outputs, inputs, groupCount, layout } = parts;
  const perWord = 32 / layout.bits;
  const qweight = new Uint32Array((inputs / perWord) * outputs);
  for (let input = 0; input < inputs; input++) {
    for (let output = 0; output < outputs; output++) {
      const word = Math.floor(input / perWord) * outputs + output;
      const shifted = (numbers[output * inputs + input] as number) * 2 ** ((input % perWord) * layout.bits);
      qweight[word] = (qweight[word] as number) + shifted;
    }
  }
  const qzeros = new Uint32Array(groupCount * (outputs / perWord));
  const limit = 2 ** layout.bits;
  for (let index = 0; index < zeros.length; index++) {
    const zero = zeros[index] as number;
    const stored = layout.format === 'gptq' ? (zero - 1 + limit) % limit : zero;
    const word = Math.floor(index / perWord);
    qzeros[word] = (qzeros[word] as number) + stored * 2 ** ((index % perWord) * layout.bits);
  }
  const tensor = (
    part: string,
    type: string,
    shape: number[],
    values: Uint32Array | Int32Array | Uint16Array,
  ) => ({
    name: `${name}.${part}`,
    type,
    shape,
    bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  });
  return [
    tensor('qweight', 'I32', [inputs / perWord, outputs], qweight),
    tensor('qzeros', 'I32', [groupCount, outputs / perWord], qzeros),
    tensor('scales', 'F16', [groupCount, outputs], scales),
    tensor('g_idx', 'I32', [inputs], groups),
  ];
}

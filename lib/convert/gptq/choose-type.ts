import { tensorTypeByName } from '../../gguf/tensor-types.js';
import type { ConvertType } from '../tensors/output-type.js';
import type { GptqLayer } from './layer.js';

/** Type that layers get whose numbers fit no block of GGUF as they are. */
export type RequantizeType = 'q4_1' | 'q5_1' | 'q6_k' | 'q8_0' | 'f16';

/** All of them, smallest first. */
export const requantizeTypes: readonly RequantizeType[] = ['q4_1', 'q5_1', 'q6_k', 'q8_0', 'f16'];

/** An error of half a percent and less; see the figures in docs/gptq.md. */
export const defaultRequantizeType: RequantizeType = 'q8_0';

/** What a layer becomes. */
export interface LayerTarget {
  /** Name of the type in GGUF. */
  readonly type: string;
  /** Whether the quantized numbers stay as they are, so that only offsets are rounded. */
  readonly keepsNumbers: boolean;
}

/**
 * The smallest type that takes the numbers of a layer as they are: Q4_0 (d * (q - 8)) or Q4_1 (d * q + m) for 4 bits,
 * Q8_0 (d * (q - 128)) for 8. They need one group in each block of 32 inputs. Other layers get the type for those.
 */
export function chooseType(
  layer: Pick<GptqLayer, 'bits' | 'inputs' | 'groups'>,
  isSymmetric: boolean,
  wanted: { type: ConvertType | undefined; requantize: RequantizeType },
): LayerTarget {
  const exact = exactType(layer, isSymmetric);
  const asked = wanted.type?.toUpperCase();
  if (exact !== undefined && (asked === undefined || asked === exact))
    return { type: exact, keepsNumbers: true };
  return { type: asked ?? fitting(wanted.requantize.toUpperCase(), layer.inputs), keepsNumbers: false };
}

function exactType(
  { bits, groups }: Pick<GptqLayer, 'bits' | 'groups'>,
  isSymmetric: boolean,
): string | undefined {
  if (groups.some((group, input) => group !== groups[input - (input % 32)])) return undefined;
  if (bits === 8) return isSymmetric ? 'Q8_0' : undefined;
  return isSymmetric ? 'Q4_0' : 'Q4_1';
}

/** Rows that are no whole number of the larger blocks get the smaller ones of more bits. */
function fitting(type: string, inputs: number): string {
  return inputs % (tensorTypeByName(type)?.blockSize ?? 1) === 0 ? type : 'Q8_0';
}

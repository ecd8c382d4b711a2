/** What became of a quantized layer. */
export interface GptqLayerResult {
  /** Name of the layer in the checkpoint. */
  readonly name: string;
  /** Name of its type in the GGUF file, such as `Q4_1`. */
  readonly type: string;
  /** Whether the quantized numbers are the same as in the checkpoint; then only offsets are rounded to halves. */
  readonly keepsNumbers: boolean;
  /**
   * Length of the difference to scale × (number − zero) in double precision, as a part of the length of these weights:
   * the root of the sum of squares of the one over that of the other.
   */
  readonly relativeError: number;
  readonly bitsPerWeight: number;
}

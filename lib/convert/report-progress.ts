import type { GgufTensorInput, TensorData } from '../gguf/write.js';
import type { GptqLayerResult } from './gptq/index.js';
import type { PlannedTensor } from './plan-conversion.js';
import type { ConvertOptions } from './types.js';

const intervalMs = 100;

/** The same tensors, which tell how far they are when their bytes are taken; `check` may throw between pieces. */
export function withProgress(
  tensors: readonly PlannedTensor[],
  onProgress: ConvertOptions['onProgress'],
  check: () => void,
): GgufTensorInput[] {
  const totalBytes = tensors.reduce((sum, { byteSize }) => sum + byteSize, 0);
  let writtenBytes = 0;
  let lastReport = Number.NEGATIVE_INFINITY;
  const report = (tensor: string, tensorNumber: number, isDue: boolean, layer?: GptqLayerResult) => {
    if (!isDue && performance.now() - lastReport < intervalMs) return;
    lastReport = performance.now();
    onProgress?.({
      stage: 'convert',
      tensor,
      tensorNumber,
      tensorCount: tensors.length,
      writtenBytes,
      totalBytes,
      ...(layer === undefined ? {} : { layer }),
    });
  };
  return tensors.map((tensor, index) => ({
    ...tensor,
    async *data() {
      report(tensor.name, index + 1, true);
      for await (const piece of piecesOf(tensor.data())) {
        check();
        yield piece;
        writtenBytes += piece.byteLength;
        report(tensor.name, index + 1, writtenBytes === totalBytes && tensor.result === undefined);
      }
      if (tensor.result !== undefined) report(tensor.name, index + 1, true, tensor.result());
    },
  }));
}

function piecesOf(data: TensorData): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
  return data instanceof Uint8Array ? [data] : data;
}

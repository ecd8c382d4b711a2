import type { EvaluationProgress, Model } from '../index.js';
import type { CommandContext } from './context.js';
import { describeEvaluation, readText, type TextOptions } from './evaluation-options.js';
import type { Library } from './library.js';
import { openModel } from './open-model.js';
import { type ModelOptions, withoutUndefined } from './options.js';
import { createStepDisplay } from './terminal/step-display.js';

/** What an evaluation gets, and the options that all of them have. */
export interface Evaluation {
  readonly library: Library;
  readonly model: Model;
  readonly text: string;
  readonly options: {
    readonly contextSize?: number;
    readonly chunks?: number;
    readonly overwrite?: boolean;
    readonly onProgress: (progress: EvaluationProgress) => void;
    readonly signal: AbortSignal;
  };
}

/** Reads the text, loads the model, has it evaluated while a bar shows how far it is, and closes it. */
export async function evaluateModel<Result>(
  context: CommandContext,
  source: string | undefined,
  options: ModelOptions & TextOptions,
  evaluate: (evaluation: Evaluation) => Promise<Result>,
): Promise<Result> {
  const text = await readText(context, options);
  const library = await context.loadLibrary();
  const model = await openModel(context, source, options);
  const display = await createStepDisplay(context.notes);
  try {
    const { chunkSize: contextSize, chunks, overwrite } = options;
    return await evaluate({
      library,
      model: model as Model,
      text,
      options: {
        ...withoutUndefined({ contextSize, chunks, overwrite }),
        onProgress: (progress) =>
          display.update('Reading', progress.completed / progress.total, describeEvaluation(progress)),
        signal: context.interrupts.signal,
      },
    });
  } finally {
    display.finish();
    await model.close();
  }
}

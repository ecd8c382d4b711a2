import { afterEach, beforeAll } from 'vitest';
import { type CrashReport, type LoadModelOptions, loadModel, type Model } from '../../lib/index.js';
import { testModelPath } from './model.js';

/** Models in processes of their own, closed after each test. Called in the body of a test file. */
export function useIsolatedModels() {
  const open: Model[] = [];
  const models = {
    path: '',
    async load(options: LoadModelOptions = {}): Promise<Model> {
      const model = await loadModel(models.path, { contextSize: 1024, isolate: true, ...options });
      open.push(model);
      return model;
    },
  };
  beforeAll(async () => {
    models.path = await testModelPath();
  });
  afterEach(() => Promise.all(open.splice(0).map((model) => model.close())));
  return models;
}

/** The reports of a model's crashes, as they come. */
export function crashesOf(model: Model): CrashReport[] {
  const reports: CrashReport[] = [];
  model.on('crash', (report) => reports.push(report));
  return reports;
}

/** A long generation that has begun to write. */
export async function running(model: Model) {
  const generation = model.generate('Once upon a time', { maxTokens: 900, ignoreEndOfSequence: true });
  const chunks = generation[Symbol.asyncIterator]();
  await chunks.next();
  return generation;
}

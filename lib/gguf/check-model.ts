import { checkArchitecture } from './check-architecture.js';
import { checkTensors } from './check-tensors.js';
import { checkVocabulary } from './check-vocabulary.js';
import { architectureOf, stringValue } from './header-values.js';
import { invalidModel, unsupportedModel } from './invalid-model.js';
import { type ReadHeaderOptions, readGgufHeader } from './read-header.js';
import { checkSplits } from './splits.js';
import type { GgufHeader } from './types.js';

/** What a GGUF file is that is no model, by `general.type`, and what to do with it. */
const otherKinds: Readonly<Record<string, string>> = {
  adapter: 'it is a LoRA adapter; name the model it was made for, and the adapter in the option adapters',
  mmproj: 'it is the image or audio part of a model (mmproj); name the file of the language model',
  imatrix: 'it is an importance matrix, which is used while quantizing',
};

/**
 * The door before llama.cpp sees a file: reads the header and refuses what would make llama.cpp abort, which ends the
 * process, or what is plainly damaged. Files of only a vocabulary pass. A model in several files is checked in all of
 * them; name the first.
 *
 * Throws what {@link readGgufHeader} throws, and MODEL_INVALID or MODEL_UNSUPPORTED with the reason.
 */
export async function checkModelFile(path: string, options: ReadHeaderOptions = {}): Promise<GgufHeader> {
  const header = await readGgufHeader(path, options);
  const architecture = checkKind(header);
  checkTensors(header);
  checkArchitecture(header, architecture);
  checkVocabulary(header);
  await checkSplits(header, options);
  return header;
}

/** Makes sure that the file is a model and returns its architecture. */
function checkKind(header: GgufHeader): string {
  const kind = otherKinds[stringValue(header, 'general.type') ?? ''];
  const architecture = architectureOf(header);
  if (kind !== undefined) {
    throw unsupportedModel(header.path, `${kind}.`);
  }
  if (architecture === undefined || architecture === '') {
    throw invalidModel(
      header.path,
      'general.architecture is missing or no text. The file is damaged, or no language model.',
    );
  }
  if (architecture === 'clip') {
    throw unsupportedModel(header.path, `${otherKinds.mmproj}.`);
  }
  return architecture;
}

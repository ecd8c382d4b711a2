import { resolveDefaultModel } from '../../lib/hub/index.js';

/**
 * Path of the real model that tests run on: SmolLM2-135M-Instruct, fetched once into the Hugging Face cache.
 * `LLAMA_NATIVE_TEST_MODEL` names another copy.
 */
export async function testModelPath(): Promise<string> {
  return process.env.LLAMA_NATIVE_TEST_MODEL ?? resolveDefaultModel();
}

// Loads one model file after the other for gguf-mutations.test.ts and says what it is about to do, so that a crash
// can be told from its last words. Plain JavaScript on the compiled library, because a crash must end a process that
// is not the test's.
import { LlamaNativeError, loadModel } from 'llama-native';

const text = 'Hello, wörld \n\n 123 <|im_end|> 你好';

async function useModel(path, vocabOnly, tell) {
  tell('load');
  const model = await loadModel(path, { vocabOnly, contextSize: 256, batchSize: 64, threads: 1 });
  try {
    tell('tokenize');
    const tokens = await model.tokenize(text, { addSpecial: true, parseSpecial: true });
    tell('detokenize');
    await model.detokenize(tokens, { renderSpecial: true });
    if (!vocabOnly) {
      tell('generate');
      await model.generate('Hello', { maxTokens: 2, temperature: 0 }).result;
    }
    tell('close');
  } finally {
    await model.close();
  }
}

process.on('message', async ({ path, vocabOnly }) => {
  let stage = 'start';
  const tell = (next) => {
    stage = next;
    process.send({ stage });
  };
  try {
    await useModel(path, vocabOnly, tell);
    process.send({ outcome: 'loaded' });
  } catch (error) {
    const code = LlamaNativeError.isInstance(error) ? error.code : undefined;
    process.send({ outcome: 'refused', code, stage, message: String(error?.message ?? error) });
  }
});

import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LlamaNativeError, loadModel, type Model } from '../../lib/index.js';
import { exampleConversation, renderExampleConversation } from '../helpers/llama-tools.js';
import { testModelPath } from '../helpers/model.js';
import { readVendored, vendoredPath } from '../helpers/vendored.js';
import {
  readChatTemplateCases,
  readGenerationPromptCases,
  readJinjaCases,
} from '../helpers/vendored-chat-cases.js';

const templateCases = await readChatTemplateCases();
const jinjaCases = await readJinjaCases();
const generationPromptCases = await readGenerationPromptCases();
const templateFiles = readdirSync(vendoredPath('models', 'templates')).filter((name) =>
  name.endsWith('.jinja'),
);

let equal = 0;
const notImplemented: string[] = [];

afterAll(() => {
  const total =
    templateCases.length + jinjaCases.length + generationPromptCases.length + templateFiles.length;
  console.log(
    `chat rendering: ${equal} of ${total - notImplemented.length} equal; ` +
      `${notImplemented.length} more need what llama.cpp's Jinja does not implement, and are refused`,
  );
});

test('all cases of the vendored tests are read', () => {
  expect(templateCases).toHaveLength(35);
  expect(jinjaCases).toHaveLength(290);
  expect(generationPromptCases).toHaveLength(15);
  expect(templateFiles).toHaveLength(70);
});

describe('a template and its special tokens, without those of a model', () => {
  let model: Model;

  beforeAll(async () => {
    model = await loadModel(vendoredPath('models', 'ggml-vocab-llama-spm.gguf'), { vocabOnly: true });
  });

  afterAll(async () => {
    await model.close();
  });

  test.each(templateCases)('$name renders as test-chat-template.cpp expects', async (given) => {
    const { template, beginOfSequence, endOfSequence } = given;
    const { prompt } = await model.applyChatTemplate(given.messages, {
      template,
      beginOfSequence,
      endOfSequence,
    });
    expect(prompt).toBe(given.expected);
    equal++;
  });

  test.each(jinjaCases)('Jinja: $name', async ({ name, template, variables, expected }) => {
    const rendering = model.applyChatTemplate([{ role: 'user', content: 'Hello' }], {
      template,
      variables,
      beginOfSequence: '',
      endOfSequence: '',
    });
    const outcome = await rendering.catch((error: unknown) => error);
    if (isNotImplemented(outcome)) {
      notImplemented.push(name);
      return;
    }
    expect(outcome).toMatchObject({ prompt: expected });
    equal++;
  });

  // test-jinja.cpp counts such cases as skipped; were there more, one that is implemented would be refused.
  test('Jinja: all but 11 cases are within what llama.cpp implements', () => {
    expect(notImplemented).toHaveLength(11);
  });

  test.each(generationPromptCases)(
    '$file opens the turn of the model as test-chat.cpp expects',
    async (given) => {
      const { prompt, generationPrompt } = await model.applyChatTemplate(given.messages, {
        template: await readVendored('models', 'templates', given.file),
        beginOfSequence: '',
        endOfSequence: '',
      });
      expect(generationPrompt).toBe(given.generationPrompt);
      expect(prompt.endsWith(given.generationPrompt)).toBe(true);
      for (const { content } of given.messages) expect(prompt).toContain(content);
      equal++;
    },
  );
});

/** True for the failure with which llama.cpp's Jinja names something it lacks. */
function isNotImplemented(outcome: unknown): boolean {
  return (
    LlamaNativeError.isInstance(outcome) &&
    outcome.code === 'CHAT_TEMPLATE_FAILED' &&
    outcome.message.includes('NotImplemented: ')
  );
}

describe('a template file with the special tokens of the test model', () => {
  let model: Model;
  let modelPath: string;

  beforeAll(async () => {
    modelPath = await testModelPath();
    model = await loadModel(modelPath, { vocabOnly: true });
  });

  afterAll(async () => {
    await model.close();
  });

  test.concurrent.each(templateFiles)(
    '%s renders as llama-completion does',
    { timeout: 30_000 },
    async (file) => {
      const templatePath = vendoredPath('models', 'templates', file);
      const settings = { modelPath, contextSize: 2048, batchSize: 512, threads: 1 };
      const reference = await renderExampleConversation(settings, templatePath);
      const { prompt } = await model.applyChatTemplate(exampleConversation, {
        template: await readFile(templatePath, 'utf8'),
        variables: { preserve_reasoning: true }, // what llama.cpp's tools set unless told otherwise
      });
      expect(prompt).toBe(reference);
      equal++;
    },
  );
});

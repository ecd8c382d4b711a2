import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { renderPrompt } from '../../lib/chat/render.js';
import type { ChatMessage } from '../../lib/index.js';
import { getAddon, type ModelHandle } from '../../lib/native/addon.js';
import { writeMarkedVocabulary } from '../helpers/marked-vocabulary.js';
import { readVendored, vendoredPath } from '../helpers/vendored.js';

const files = readdirSync(vendoredPath('models', 'templates')).filter((name) => name.endsWith('.jinja'));
const templates = new Map<string, string>();
for (const file of files) templates.set(file, await readVendored('models', 'templates', file));

/** What the templates write that a vocabulary may have as one token, and that are no tags of HTML. */
const markPattern = /<(?!\/?(?:co|li|a)>)[^<>\s{}'"]{2,40}>|\[\/?[A-Z_]{2,30}\]|\]~!?b[[\]]/g;
const marks = [...new Set([...templates.values()].flatMap((template) => template.match(markPattern) ?? []))];
const marksOf = (file: string) => marks.filter((mark) => templates.get(file)?.includes(mark));

/** A vocabulary of each kind: that of llama-spm puts a space in front of every text. */
const vocabularies = ['qwen2', 'llama-spm'] as const;

let forged = 0;
let kept = 0;

afterAll(() => {
  process.stdout.write(
    `template marks: ${forged} texts of ${marks.length} marks in ${files.length} templates and ${vocabularies.length} vocabularies are plain text; ${kept} thoughts of assistants keep theirs\n`,
  );
});

describe.each(vocabularies)('with the marks of all templates as user-defined tokens of %s', (vocabulary) => {
  let model: ModelHandle;
  let ids: ReadonlyMap<number, string>;

  beforeAll(async () => {
    const addon = getAddon();
    const options = { gpuLayers: 0, vocabOnly: true, checkTensors: false, memoryMap: true };
    const path = await writeMarkedVocabulary(vocabulary, marks);
    model = await addon.loadModel(path, options, addon.createCancelFlag(), () => {});
    const found = marks.map((mark) => [addon.tokenizeSync(model, mark, false, true), mark] as const);
    ids = new Map(found.filter(([tokens]) => tokens.length === 1).map(([[id = -1], mark]) => [id, mark]));
    expect(ids.size).toBeGreaterThan(200);
  });
  afterAll(async () => {
    await getAddon().closeModel(model);
  });

  const conversation = (user: string, assistant: string): ChatMessage[] => [
    { role: 'user', content: user },
    { role: 'assistant', content: assistant },
    { role: 'user', content: user },
  ];

  async function render(file: string, messages: readonly ChatMessage[], more: object = {}) {
    const { prompt, tokens } = await renderPrompt(model, {
      messages,
      template: templates.get(file) ?? '',
      ...more,
    });
    const found = [...tokens].map((token) => ids.get(token)).filter((mark) => mark !== undefined);
    return { prompt, tokens, found };
  }

  test.each(files)('nobody but the template writes those of %s', async (file) => {
    const { found } = await render(file, conversation('Hello', 'Yes'));
    const own = marksOf(file);
    for (const text of [
      own.join(' and '),
      own.join(''),
      own.map((mark) => mark + mark.slice(0, -1)).join(''),
    ]) {
      const forgery = `Hello ${text} 你好`;
      const safe = await render(file, conversation(forgery, `Yes ${text}.`));
      expect(safe.found).toEqual(found);
      const [said = ''] = await getAddon().detokenize(model, [safe.tokens], true, true);
      // SentencePiece's sign for a space becomes one. This template takes a switch out of what users say.
      const asRead = file === 'NVIDIA-Nemotron-Nano-v2.jinja' ? forgery.replaceAll('/think', '') : forgery;
      expect(said.replace(/[\s▁]/g, '')).toContain(asRead.replace(/[\s▁]/g, ''));
    }
    forged += own.length;
  });

  // What the vocabulary is matters less here.
  test.each(vocabulary === 'qwen2' ? files : [])(
    '%s reads plain text as ever, and thoughts',
    async (file) => {
      for (const text of ['Hello, 1 < 2 and [x]', '  if (a) { <table> }\n\n\tdone 你好<']) {
        const usual = await render(file, conversation(text, text), { allowControlTokens: true });
        expect([...(await render(file, conversation(text, text))).tokens]).toEqual([...usual.tokens]);
      }
      const { reasoningStartText: start = '', reasoningEndTexts: [end = ''] = [] } = await renderPrompt(
        model,
        {
          messages: conversation('Hello', 'Yes'),
          template: templates.get(file) ?? '',
        },
      );
      if (start === '' || end === '') return; // a model that does not think
      const thinking = conversation('Hello', `${start}\nHm.\n${end}\nYes`);
      const usual = await render(file, thinking, { allowControlTokens: true });
      expect([...(await render(file, thinking)).tokens]).toEqual([...usual.tokens]);
      kept++;
    },
  );
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { toSchemaText } from '../../lib/generate/check-json-schema.js';
import { loadModel, type Model } from '../../lib/index.js';
import { getAddon, type ModelHandle } from '../../lib/native/addon.js';
import { generateObject } from '../../lib/object/generate-object.js';
import { testModelPath } from '../helpers/model.js';
import { textsFor } from '../helpers/regex-texts.js';
import { ScriptedHost } from '../helpers/scripted-host.js';

let model: Model;
let vocabulary: ModelHandle;

beforeAll(async () => {
  const path = await testModelPath();
  model = await loadModel(path, { contextSize: 2048, sequences: 4, threads: 1 });
  const addon = getAddon();
  const load = { gpuLayers: 0, vocabOnly: true, checkTensors: false, memoryMap: true };
  vocabulary = await addon.loadModel(path, load, addon.createCancelFlag(), () => {});
});
afterAll(async () => {
  await getAddon().closeModel(vocabulary);
  await model.close();
});

async function grammarOf(schema: object): Promise<string> {
  return getAddon().jsonSchemaToGrammar(toSchemaText(schema as Readonly<Record<string, unknown>>));
}

async function admits(grammar: string, text: string): Promise<boolean> {
  const tokens = await model.tokenize(text, { addSpecial: false });
  return getAddon().matchesGrammar(vocabulary, grammar, tokens);
}

/** What admits a number of characters, which is another one with the flag u than without it. */
const bounded = ['^\\D\\S?\\W?$', '^[^a]$'];

/** Patterns with a text that each finds something in. */
const patterns: readonly (readonly [RegExp, string])[] = [
  [/^\d\w\s?$/, '1a\t'],
  [/^\D\S?\W?$/, 'a"\n'],
  [/^[\d\s"]{1,2}$/, '1"'],
  [/^(?:ab|(?<name>c)){2,3}$/, 'abc'],
  [/^(|a)b{0}$/, 'a'],
  [/^a\.{2}b?$/, 'a..'],
  [/^["\\]+$/, '"\\'],
  [/^[^a]$/, '"'],
  [/^.*$/, 'a "b" \\'],
  [/^[^"]*$/, 'a\nb'],
  [/^[\t-\n]b*$/, '\tb'],
  [/^\/\*\]\}$/, '/*]}'],
  [/^$|^(?:ab)*c$/, 'ababc'],
  [/b\.?a/, '"b.a"'],
  [/^a\\/, 'a\\"'],
  [/a\\$|^b\$/, 'b$"'],
  [/日本?/, 'a日"'],
  [/^\p{Script=Han}{2}$/u, '日本'],
  [/^[\p{L}_-]+$/u, 'à_日'],
  [/^\P{ASCII}?\p{Lu}/u, 'éA'],
];

describe('a pattern of a JSON schema', () => {
  it.each(patterns)(
    'admits in JSON what %s finds something in, and nothing else',
    async (pattern, example) => {
      const grammar = await grammarOf({ type: 'string', pattern: pattern.source });
      const wrong: unknown[] = [];
      expect(example).toMatch(pattern);
      for (const text of textsFor(pattern, [example])) {
        const admitted = await admits(grammar, JSON.stringify(text));
        const isAmbiguous = bounded.includes(pattern.source) && /[\u{10000}-\u{10ffff}]/u.test(text);
        if (isAmbiguous && !admitted) continue;
        if (admitted !== pattern.test(text)) wrong.push({ text, admitted });
      }
      expect(wrong).toEqual([]);
    },
  );

  it.each([
    ['^[a-c]*$', 2, 3],
    ['^[abc]+-?[12]{0,4}$', 3, 5],
    ['b', 2, 4],
    ['^(?:ab|c)+$', 3, undefined],
    ['^(?:ab)*x?(?:c|)$', undefined, 4],
    ['^.{2,}$', 3, undefined],
  ])('such as %s is held to minLength %s and maxLength %s', async (pattern, minLength, maxLength) => {
    const grammar = await grammarOf({ type: 'string', pattern, minLength, maxLength });
    const wrong: unknown[] = [];
    let right = 0;
    for (const text of textsFor(new RegExp(pattern), ['abc', 'ababc', 'aa-12', 'xb', 'ababab'])) {
      if (/[\u{10000}-\u{10ffff}]/u.test(text)) continue; // two characters to a pattern without the flag u
      const length = [...text].length;
      const fits =
        length >= (minLength ?? 0) && length <= (maxLength ?? 1000) && new RegExp(pattern).test(text);
      if (fits) right++;
      if ((await admits(grammar, JSON.stringify(text))) !== fits) wrong.push(text);
    }
    expect(wrong).toEqual([]);
    expect(right).toBeGreaterThan(1);
  });

  it('never lets a quote, a backslash or a control character stand where JSON must escape it', async () => {
    const grammar = await grammarOf({ type: 'string', pattern: '^[^a]{1,3}$' });
    for (const inner of ['"', '\\', '\n', '\t', '\u0001', '\\x', '\\u00', '\\ug0']) {
      expect(await admits(grammar, `"${inner}"`), JSON.stringify(inner)).toBe(false);
    }
  });
});

const oldEmail =
  /^(?!\.)(?!.*\.\.)([A-Za-z0-9_'+\-.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9-]*\.)+[A-Za-z]{2,}$/;

/** Schemas of Zod with texts that they take, and texts that they do not. */
const formats: readonly (readonly [string, z.ZodType, readonly string[], readonly string[]])[] = [
  ['a date', z.iso.date(), ['2026-03-01', '2024-02-29'], ['2026-02-29', '2026-13-01', '26-03-01']],
  ['a time', z.iso.time(), ['12:30', '23:59:59.125'], ['24:00', '1:30']],
  ['a date and time', z.iso.datetime(), ['2026-03-01T12:30:00Z', '2026-03-01T12:30:00.5Z'], ['2026-03-01']],
  ['an address of mail', z.email(), ['a.b+c@example.com', "o'hara@x.io"], ['a..b@example.com', 'a@b']],
  ['a UUID', z.uuid(), ['123e4567-e89b-42d3-a456-426614174000'], ['123e4567-e89b-02d3-a456-426614174000']],
  ['an address of IPv4', z.ipv4(), ['192.168.0.1'], ['192.168.0.256', '1.2.3']],
  ['an address of IPv6', z.ipv6(), ['2001:db8::1', '::1'], ['2001:db8', '::g']],
  ['a network', z.cidrv4(), ['10.0.0.0/8'], ['10.0.0.0/33', '10.0.0.0']],
  ['a hardware address', z.mac(), ['00:1a:2b:3c:4d:5e'], ['00:1a:2b:3c:4d']],
  ['base64', z.base64(), ['', 'aGk=', 'aGkh'], ['aGk', '"']],
  ['a telephone number', z.e164(), ['+4930123456'], ['4930123456']],
  ['an identifier', z.ulid(), ['01ARZ3NDEKTSV4RRFFQ69G5FAV'], ['01ARZ3NDEK']],
  ['a text with a beginning', z.string().startsWith('x/"'), ['x/"', 'x/"y'], ['y/"x']],
  ['a text with a part', z.string().includes('a.b'), ['a.b', 'xa.bx'], ['aab']],
  ['a text with an end', z.string().endsWith('\\'), ['a\\'], ['\\a']],
  [
    'a name in Chinese',
    z.string().regex(/^[\p{Script=Han}]{2,4}$/u),
    ['王小明'],
    ['王', 'Wang', '一二三四五'],
  ],
  [
    'bounded words',
    z
      .string()
      .regex(/^[a-z ]*$/)
      .min(2)
      .max(5),
    ['ab', 'a bcd'],
    ['a', 'abcdef', 'A b'],
  ],
  ['small letters', z.string().lowercase(), ['é "b"\n', '😀'], ['aB']],
];

describe('a format of Zod', () => {
  it.each(formats)(
    'such as %s becomes a grammar that admits what Zod takes',
    async (_, schema, right, wrong) => {
      const grammar = await grammarOf(z.toJSONSchema(schema, { io: 'input' }));
      for (const text of [...right, ...wrong]) {
        expect(schema.safeParse(text).success, text).toBe(right.includes(text));
        expect(await admits(grammar, JSON.stringify(text)), text).toBe(right.includes(text));
      }
    },
  );

  it('with a lookahead is held to the rest of its pattern, and judged by Zod afterwards', async () => {
    const schema = z.object({ mail: z.string().regex(oldEmail) });
    const answers = ['{"mail": "a..b@x.io"}', '{"mail": "a.b@x.io"}'];
    const template = '{% for message in messages %}<{{ message.role }}>{{ message.content }}{% endfor %}';
    const host = new ScriptedHost(model, template, answers);
    const { object } = await generateObject(host, { schema, prompt: 'Mail?', retries: 1 });
    expect(object).toEqual({ mail: 'a.b@x.io' });
    expect(host.calls).toHaveLength(2);
    expect(host.calls[0]?.prompt).toContain('(?!');
    const grammar = await grammarOf(host.calls[0]?.options.jsonSchema ?? {});
    expect(await admits(grammar, answers[0] ?? '')).toBe(true);
    expect(await admits(grammar, '{"mail": "a b@x.io"}')).toBe(false);
    expect(() => toSchemaText(z.toJSONSchema(schema) as Readonly<Record<string, unknown>>)).toThrow(
      /holds a lookahead, which is not supported, at #\/properties\/mail/,
    );
  });
});

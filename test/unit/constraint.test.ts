import { describe, expect, it } from 'vitest';
import { toSchemaText } from '../../lib/generate/check-json-schema.js';
import { checkGenerateOptions } from '../../lib/generate/check-options.js';
import { regexGrammar } from '../../lib/generate/regex-grammar.js';

/** For what may not be written as a literal. */
function fromSource(source: string, flags = ''): RegExp {
  return new RegExp(source, flags);
}

describe('a regular expression that a grammar cannot express', () => {
  it.each([
    [/a(?=b)/, 'a lookahead'],
    [/a(?!b)/, 'a lookahead'],
    [/(?<=a)b/, 'a lookbehind'],
    [/(?<!a)b/, 'a lookbehind'],
    [/(a)\1/, 'a backreference'],
    [/(?<x>a)\k<x>/, 'a backreference'],
    [/\ba/, 'a word border (\\b)'],
    [/a\B/, 'a word border (\\B)'],
    [new RegExp(`${'\\'}p{L}`), 'a Unicode property (\\p) without the flag u'],
    [/a^b/, 'the anchor ^ inside'],
    [/(a$)/, 'the anchor $ inside'],
    [fromSource('[]'), 'a class without characters'],
    [fromSource('[a-z]', 'v'), 'the flag v'],
    [/k/iu, 'the flag i together with u'],
    [/É/i, 'the letter É beside the flag i, which works for a to z only,'],
    [/[^\x80-\xd7]/i, 'a range beyond ASCII beside the flag i'],
    [/😀/, 'the character 😀 without the flag u'],
    [/\ud800/, 'half of a character (a lone surrogate)'],
    [/\0/, 'the escape \\0'],
    [/\cA/, 'the escape \\c'],
    [/(a*)*/, 'an endless repetition of what may be empty'],
    [/a{5000}/, 'a repetition of more than 2000 times'],
    [new RegExp(`${'('.repeat(5000)}a${')'.repeat(5000)}`), 'nesting of more than 100 groups'],
  ])('%s is refused, by name', (regex, construct) => {
    expect(() => regexGrammar(regex)).toThrow(
      expect.objectContaining({
        code: 'INVALID_REGEX',
        details: expect.objectContaining({ construct }) as object,
        message: expect.stringContaining(construct) as string,
      }),
    );
  });

  it('is refused before anything runs', () => {
    expect(() => checkGenerateOptions({ regex: /a(?=b)/ })).toThrow(
      expect.objectContaining({ code: 'INVALID_REGEX' }),
    );
  });
});

describe('the constraint of a generation', () => {
  it.each([
    [{ regex: 'a' }, /Expected a regular expression for regex/],
    [{ choice: [] }, /at least one text for choice/],
    [{ choice: 'yes' }, /at least one text for choice/],
    [{ choice: ['yes', ''] }, /at least one character/],
    [{ choice: ['\ud800'] }, /lone surrogates/],
    [{ choice: ['a\0b'] }, /without NUL/],
    [{ choice: ['a'], regex: /a/ }, /Expected nothing beside regex for choice/],
    [{ jsonSchema: {}, grammar: 'root ::= "a"' }, /Expected nothing beside jsonSchema for grammar/],
    [{ jsonSchema: {}, regex: /a/ }, /Expected nothing beside jsonSchema for regex/],
    [{ grammar: 'root ::= "a"', choice: ['a'] }, /Expected nothing beside choice for grammar/],
  ])('%j is refused', (options, message) => {
    expect(() => checkGenerateOptions(options as object)).toThrow(message);
  });
});

describe('a tuple in a JSON schema', () => {
  const prefixItems = [{ type: 'string' }, { type: 'number' }];

  it('may say that nothing follows', () => {
    const text = toSchemaText({ type: 'array', prefixItems, items: false, minItems: 2, maxItems: 2 });
    expect(JSON.parse(text)).toEqual({ type: 'array', prefixItems, minItems: 2, maxItems: 2 });
  });

  it.each([
    ['minItems', { minItems: 3 }],
    ['maxItems', { maxItems: 1 }],
    ['prefixItems', { items: { type: 'string' } }],
  ])('is refused with another number of items, by the name of %s', (keyword, others) => {
    expect(() => toSchemaText({ type: 'array', prefixItems, ...others })).toThrow(
      expect.objectContaining({ code: 'INVALID_SCHEMA', details: { path: '#', keyword } }),
    );
  });
});

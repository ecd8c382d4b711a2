import { describe, expect, test } from 'vitest';
import { findTokens, parseExpression, parseSequence, textOf } from '../helpers/cpp-expressions.js';
import { toJson } from '../helpers/cpp-json.js';
import { CppSyntaxError, readCppTokens } from '../helpers/cpp-tokens.js';

/** The value of a C++ expression. */
function parse(source: string) {
  const tokens = readCppTokens(source);
  const { value, next } = parseExpression(tokens, 0);
  expect(next).toBe(tokens.length);
  return value;
}

function json(source: string) {
  return toJson(parse(source));
}

describe('C++ strings', () => {
  test('hold what their escapes stand for', () => {
    expect(textOf(parse(String.raw`"a\n\t\"\\\x41\101\u2713\U0001F600"`))).toBe('a\n\t"\\AA✓😀');
  });

  test('next to each other are one, also where that completes a character', () => {
    expect(textOf(parse(String.raw`"\xe2\x9c" "\x93" u8"!"`))).toBe('✓!');
  });

  test('in raw form keep backslashes, quotes and newlines', () => {
    expect(textOf(parse('R"(a\\n"b"\n)" R"x()")x"'))).toBe('a\\n"b"\n)"');
  });

  test('go on in the next line behind a backslash', () => {
    expect(textOf(parse('"a\\\nb"'))).toBe('ab');
  });

  test('are found inside a macro or a conversion', () => {
    expect(textOf(parse('U8C("中文")'))).toBe('中文');
    expect(textOf(parse('std::string("a")'))).toBe('a');
  });

  test('with an escape that C++ does not know are refused', () => {
    expect(() => readCppTokens(String.raw`"\q"`)).toThrow(CppSyntaxError);
  });

  test('that are not closed are not read as strings', () => {
    expect(readCppTokens('"abc\n').some(({ kind }) => kind === 'string')).toBe(false);
  });
});

describe('C++ tokens', () => {
  test('leave out comments and directives, but not a # inside a line', () => {
    const tokens = readCppTokens('#define A \\\n  "x"\n  a /* "b" */ // "c"\n "#include" #');
    expect(tokens.map((token) => (token.kind === 'string' ? 'string' : token.text))).toEqual([
      'a',
      'string',
      '#',
    ]);
  });

  test('know their line', () => {
    expect(readCppTokens('a\n\n/*\n*/ "b\\\nc"\nd').map(({ line }) => line)).toEqual([1, 4, 6]);
  });

  test('are found by what follows each other', () => {
    const tokens = readCppTokens('f(1); "f" (2); f (3)');
    const second = findTokens(tokens, ['f', '('], 1);
    expect(parseSequence(tokens, second + 1, ')').value).toEqual([{ kind: 'number', value: 3 }]);
    expect(findTokens(tokens, ['g'])).toBe(-1);
  });
});

describe('C++ expressions', () => {
  test('are numbers in every notation', () => {
    expect(["1'000", '-1.5f', '0x1Fu', '2e3', '.5', '7LL'].map(json)).toEqual([1000, -1.5, 31, 2000, 0.5, 7]);
  });

  test('are lists that may end in a comma', () => {
    expect(json('{1, "a", {2, }, }')).toEqual([1, 'a', [2]]);
  });

  test('that compute something are refused', () => {
    expect(() => parse('{a * b}')).toThrow(/line 1: expected , or }/);
    expect(() => parse('-a')).toThrow(/expected a number/);
    expect(() => parse(';')).toThrow(/expected an expression/);
    expect(() => parse('{1,')).toThrow(CppSyntaxError);
  });
});

describe('JSON initializers in C++', () => {
  test('of pairs are objects, of anything else arrays', () => {
    expect(json('{{"a", 1}, {"b", {{"c", nullptr}}}}')).toEqual({ a: 1, b: { c: null } });
    expect(json('{{1, 2}, {"b", 3}}')).toEqual([
      [1, 2],
      ['b', 3],
    ]);
  });

  test('of one pair are an object too', () => {
    expect(json('{{"data", "x"}}')).toEqual({ data: 'x' });
  });

  test('that name their type are of that type', () => {
    expect(json('json::array({json::array({1, "x"}), json({{"k", true}}), json::object()})')).toEqual([
      [1, 'x'],
      { k: true },
      {},
    ]);
    expect(json('json{{"a", false}, {"b", json::array()}}')).toEqual({ a: false, b: [] });
  });

  test('with unknown names or calls are refused', () => {
    expect(() => json('{{"a", value}}')).toThrow(/Unknown constant value/);
    expect(() => json('compute({1})')).toThrow(/Unknown call of compute/);
    expect(() => json('json::object({1})')).toThrow(/pair/);
    expect(() => json('{}')).toThrow(/empty/);
  });
});

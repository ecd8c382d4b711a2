/** Reads the cases of llama.cpp's tests of grammars out of their C++ source. */
import { type CppExpression, findTokens, itemsOf, parseExpression, textOf } from './cpp-expressions.js';
import type { CppToken } from './cpp-tokens.js';
import { readVendoredTest } from './vendored.js';

/** A JSON schema and the grammar that is made of it; none if it is refused. */
export interface SchemaCase {
  readonly name: string;
  readonly schema: string;
  readonly grammar: string | undefined;
}

/** A grammar or a JSON schema, and texts that it takes and refuses. */
export interface MatchCase {
  readonly name: string;
  readonly kind: 'grammar' | 'schema';
  readonly source: string;
  readonly passing: readonly string[];
  readonly failing: readonly string[];
}

/** Without the indentation of the source. */
export function trimGrammar(text: string): string {
  return text.trim().replace(/(^|\n)[ \t]+/g, '$1');
}

export async function readSchemaCases(): Promise<SchemaCase[]> {
  const tokens = await readVendoredTest('test-json-schema-to-grammar.cpp');
  const cases: SchemaCase[] = [];
  const begin = ['test', '(', '{'];
  for (let at = findTokens(tokens, begin); at !== -1; at = findTokens(tokens, begin, at + 1)) {
    const [status, name, schema, grammar] = itemsOf(parseExpression(tokens, at + 2).value);
    const succeeds = status?.kind === 'name' && status.name === 'SUCCESS';
    cases.push({
      name: textOf(name),
      schema: textOf(schema),
      grammar: succeeds ? textOf(grammar) : undefined,
    });
  }
  return cases;
}

/** All but those that name tokens by numbers of a vocabulary that only exists in that test. */
export async function readMatchCases(): Promise<MatchCase[]> {
  const tokens = await readVendoredTest('test-grammar-integration.cpp');
  return (['test_grammar', 'test_schema'] as const).flatMap((call) => readCalls(tokens, call));
}

function readCalls(tokens: readonly CppToken[], call: 'test_grammar' | 'test_schema'): MatchCase[] {
  const cases: MatchCase[] = [];
  for (let at = findTokens(tokens, [call, '(']); at !== -1; at = findTokens(tokens, [call, '('], at + 1)) {
    const first = tokens[at + 2];
    if (first?.kind !== 'string') continue; // the function itself
    const end = findTokens(tokens, [')', ';'], at);
    if (tokens.slice(at, end).some((token) => token.kind === 'name' && token.text === 'token')) continue;
    const { value } = parseExpression(tokens, at);
    const [name, source, passing, failing] = argumentsOf(value);
    cases.push({
      name: textOf(name),
      kind: call === 'test_schema' ? 'schema' : 'grammar',
      source: textOf(source),
      passing: itemsOf(passing).map(textOf),
      failing: itemsOf(failing).map(textOf),
    });
  }
  return cases;
}

function argumentsOf(expression: CppExpression): readonly CppExpression[] {
  return expression.kind === 'call' ? expression.arguments : [];
}

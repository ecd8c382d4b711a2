/** What models write and how it must be read, taken out of llama.cpp's tests/test-chat.cpp. */
import {
  type CppExpression,
  findTokens,
  isToken,
  itemsOf,
  parseExpression,
  parseSequence,
} from './cpp-expressions.js';
import type { CppToken } from './cpp-tokens.js';
import { readVendoredTest } from './vendored.js';

/** A call as the parser gives it. */
export interface ExpectedCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
}

/** A message as llama.cpp's tests have it. */
export interface VendoredMessage {
  readonly role: string;
  readonly content: string;
  readonly reasoning: string;
  readonly toolCalls: readonly ExpectedCall[];
  readonly toolName: string;
  readonly toolCallId: string;
}

export interface VendoredTool {
  readonly name: string;
  readonly description: string;
  /** A JSON schema as text. */
  readonly parameters: string;
}

/** An answer in the format of a template, and the message in it. */
export interface ParserCase {
  readonly template: string;
  /** Line in test-chat.cpp. */
  readonly line: number;
  readonly input: string;
  readonly isPartial: boolean;
  readonly parseReasoning: boolean;
  readonly enableThinking: boolean;
  readonly parallelToolCalls: boolean;
  readonly addGenerationPrompt: boolean;
  readonly continueFinalMessage: 'none' | 'auto' | 'content' | 'reasoning';
  readonly toolChoice: 'auto' | 'required' | 'none';
  readonly jsonSchema: string;
  readonly tools: readonly VendoredTool[];
  readonly messages: readonly VendoredMessage[];
  readonly expected: VendoredMessage;
}

type Value = string | number | boolean | VendoredMessage | VendoredTool | readonly Value[];

const emptyMessage: VendoredMessage = {
  role: '',
  content: '',
  reasoning: '',
  toolCalls: [],
  toolName: '',
  toolCallId: '',
};

const fieldNames: Readonly<Record<string, keyof VendoredMessage>> = {
  role: 'role',
  content: 'content',
  reasoning_content: 'reasoning',
  tool_name: 'toolName',
  tool_call_id: 'toolCallId',
};

function assistant(content: string, reasoning: string, toolCalls: readonly ExpectedCall[]): VendoredMessage {
  return { ...emptyMessage, role: 'assistant', content, reasoning, toolCalls };
}

function toCall(value: Value): ExpectedCall {
  const [name = '', text = '', id = ''] = value as readonly string[];
  return { name, arguments: text, id: typeof id === 'string' ? id : '' };
}

/** A tool, or the list of its fields. */
function toTool(value: Value): VendoredTool {
  if (!Array.isArray(value)) return value as VendoredTool;
  const [name = '', description = '', parameters = ''] = value as readonly string[];
  return { name, description, parameters };
}

/** The helpers of the test that make messages. */
const functions: Readonly<Record<string, (...values: readonly Value[]) => Value>> = {
  '+': (...terms) => terms.join(''),
  'std::string': (text = '') => text,
  simple_assist_msg: (content, reasoning = '', name = '', text = '', id = '') =>
    assistant(
      content as string,
      reasoning as string,
      name !== '' || id !== '' ? [toCall([name, text, id])] : [],
    ),
  message_with_tool_calls: (name = '', text = '') => assistant('', '', [toCall([name, text])]),
  message_with_tool_calls_and_reasoning: (name = '', text = '', reasoning = '') =>
    assistant('', reasoning as string, [toCall([name, text])]),
  message_with_reasoning_and_tool_call: (reasoning = '', name = '', text = '') =>
    assistant('', reasoning as string, [toCall([name, text])]),
  message_with_content_and_tool_call: (content = '', name = '', text = '') =>
    assistant(content as string, '', [toCall([name, text])]),
  message_with_reasoning_content_and_multiple_tool_calls: (reasoning = '', content = '', calls = []) =>
    assistant(content as string, reasoning as string, (calls as readonly Value[]).map(toCall)),
};

/** Runs the statements of the test that define values and describe cases; the others it passes over. */
class Interpreter {
  readonly cases: ParserCase[] = [];
  readonly #tokens: readonly CppToken[];
  readonly #values = new Map<string, Value>();
  readonly #testers = new Map<string, string>();

  constructor(tokens: readonly CppToken[]) {
    this.#tokens = tokens;
  }

  /** Walks over the tokens of a range. */
  run(begin: number, end: number): void {
    for (let index = begin; index < end; ) index = this.#step(index, end);
  }

  /** Takes one statement, or else one token; returns the index behind it. */
  #step(index: number, end: number): number {
    return (
      this.#createTester(index) ??
      this.#defineValue(index) ??
      this.#assignField(index) ??
      this.#loop(index, end) ??
      this.#addCase(index) ??
      index + 1
    );
  }

  /** `common_chat_tool name{…}`, `common_chat_msg name = …;`, `std::string name = …;`, `const char * name = …;` */
  #defineValue(index: number): number | undefined {
    const types = [
      ['common_chat_tool'],
      ['auto'],
      ['common_chat_msg'],
      ['std', '::', 'string'],
      ['const', 'char', '*'],
    ];
    const type = types.find((names) =>
      names.every((text, offset) => isToken(this.#tokens, index + offset, text)),
    );
    const at = index + (type?.length ?? 0);
    const name = this.#tokens[at];
    if (type === undefined || name?.kind !== 'name') return undefined;
    if (isToken(this.#tokens, at + 1, ';')) {
      this.#values.set(name.text, emptyMessage);
      return at + 2;
    }
    const assigned = isToken(this.#tokens, at + 1, '=');
    if (!assigned && !isToken(this.#tokens, at + 1, '{')) return undefined;
    const start = assigned ? at + 2 : at + 1;
    try {
      const { value, next } = parseExpression(this.#tokens, start);
      this.#values.set(name.text, this.#construct(type[0] ?? '', this.#evaluate(value)));
      return next;
    } catch {
      return undefined; // made from something that only the running test knows
    }
  }

  #construct(type: string, value: Value): Value {
    if (!Array.isArray(value)) return value;
    const fields = value as readonly Value[];
    if (type === 'common_chat_tool') return toTool(fields);
    const [role, content] = fields as readonly string[];
    return { ...emptyMessage, role: role ?? '', content: content ?? '' };
  }

  /** `name.field = …;` of a message. */
  #assignField(index: number): number | undefined {
    const [name, dot, field, equals] = this.#tokens.slice(index, index + 4);
    if (name?.kind !== 'name' || dot?.kind !== 'punctuation' || dot.text !== '.') return undefined;
    if (field?.kind !== 'name' || equals?.kind !== 'punctuation' || equals.text !== '=') return undefined;
    const message = this.#values.get(name.text) as VendoredMessage | undefined;
    const key = fieldNames[field.text];
    if (message?.role === undefined || key === undefined) return undefined;
    try {
      const { value, next } = parseExpression(this.#tokens, index + 4);
      this.#values.set(name.text, { ...message, [key]: this.#evaluate(value) });
      return next;
    } catch {
      return undefined; // a parameter of a function
    }
  }

  /** `auto name = peg_tester(path, …);` */
  #createTester(index: number): number | undefined {
    const name = this.#tokens[index + 1];
    const isTester =
      isToken(this.#tokens, index, 'auto') &&
      isToken(this.#tokens, index + 2, '=') &&
      isToken(this.#tokens, index + 3, 'peg_tester');
    if (!isTester || name?.kind !== 'name') return undefined;
    const { value, next } = parseSequence(this.#tokens, index + 4, ')');
    const [path] = value;
    if (path === undefined) throw new Error('A tester without a template');
    this.#testers.set(name.text, String(this.#evaluate(path)));
    return next;
  }

  /** `for (… name : {…}) {…}` over templates; a call of `test_lfm2_parser(name, …)` runs that function. */
  #loop(index: number, end: number): number | undefined {
    if (isToken(this.#tokens, index, 'test_lfm2_parser') && isToken(this.#tokens, index + 3, ',')) {
      this.#runFunction('test_lfm2_parser', String(this.#values.get('tmpl')));
      return undefined;
    }
    if (!isToken(this.#tokens, index, 'for')) return undefined;
    const colon = this.#tokens.findIndex(
      (token, at) => at > index && at < index + 10 && token.kind === 'punctuation' && token.text === ':',
    );
    const name = this.#tokens[colon - 1];
    if (colon === -1 || name?.kind !== 'name' || !isToken(this.#tokens, colon + 1, '{')) return undefined;
    const { value, next } = parseExpression(this.#tokens, colon + 1);
    const bodyEnd = this.#closingBrace(next + 1);
    for (const item of itemsOf(value)) {
      this.#values.set(name.text, this.#evaluate(item));
      this.run(next + 2, Math.min(bodyEnd, end));
    }
    return bodyEnd;
  }

  #runFunction(name: string, path: string): void {
    const start = findTokens(this.#tokens, ['static', 'void', name]);
    const open = findTokens(this.#tokens, ['{'], start);
    this.#values.set('template_path', path);
    this.run(open + 1, this.#closingBrace(open));
  }

  /** Index of the brace that closes the one at an index. */
  #closingBrace(index: number): number {
    let depth = 0;
    for (let at = index; at < this.#tokens.length; at++) {
      if (isToken(this.#tokens, at, '{')) depth++;
      if (isToken(this.#tokens, at, '}') && --depth === 0) return at;
    }
    throw new Error('A brace is not closed');
  }

  /** `name.test(input).setter(…)….run();` */
  #addCase(index: number): number | undefined {
    const name = this.#tokens[index];
    if (name?.kind !== 'name' || !isToken(this.#tokens, index + 1, '.')) return undefined;
    const template = this.#testers.get(name.text);
    if (template === undefined || !isToken(this.#tokens, index + 2, 'test')) return undefined;
    let made: ParserCase = {
      template: template.replace('models/templates/', ''),
      line: name.line,
      input: '',
      isPartial: false,
      parseReasoning: false,
      enableThinking: true,
      parallelToolCalls: false,
      addGenerationPrompt: true,
      continueFinalMessage: 'none',
      toolChoice: 'auto',
      jsonSchema: '',
      tools: [],
      messages: [],
      expected: { ...emptyMessage, role: 'assistant' },
    };
    let position = index + 1;
    while (isToken(this.#tokens, position, '.')) {
      const setter = this.#tokens[position + 1];
      const { value, next } = parseSequence(this.#tokens, position + 2, ')');
      const [argument] = value;
      if (setter?.kind === 'name')
        made = this.#applySetter(made, setter.text, argument === undefined ? true : this.#evaluate(argument));
      position = next;
    }
    this.cases.push(made);
    return position;
  }

  #applySetter(made: ParserCase, setter: string, value: Value): ParserCase {
    const { expected } = made;
    const list = Array.isArray(value) ? (value as readonly Value[]) : [];
    switch (setter) {
      case 'test':
        return { ...made, input: value as string };
      case 'tools':
        return { ...made, tools: list.map((item) => toTool(item)) };
      case 'messages':
        return { ...made, messages: list as readonly VendoredMessage[] };
      case 'reasoning_format':
        return { ...made, parseReasoning: value !== 'COMMON_REASONING_FORMAT_NONE' };
      case 'enable_thinking':
        return { ...made, enableThinking: value as boolean };
      case 'parallel_tool_calls':
        return { ...made, parallelToolCalls: value as boolean };
      case 'add_generation_prompt':
        return { ...made, addGenerationPrompt: value as boolean };
      case 'continue_final_message':
        return { ...made, continueFinalMessage: lastWord(value) as ParserCase['continueFinalMessage'] };
      case 'tool_choice':
        return { ...made, toolChoice: lastWord(value) as ParserCase['toolChoice'] };
      case 'json_schema':
        return { ...made, jsonSchema: value as string };
      case 'is_partial':
        return { ...made, isPartial: value as boolean };
      case 'expect':
        return { ...made, expected: value as VendoredMessage };
      case 'expect_content':
        return { ...made, expected: { ...expected, content: value as string } };
      case 'expect_reasoning':
        return { ...made, expected: { ...expected, reasoning: value as string } };
      case 'expect_tool_calls':
        return { ...made, expected: { ...expected, toolCalls: list.map(toCall) } };
      case 'expect_reconstruction':
      case 'run':
        return made;
      default:
        throw new Error(`Unknown setter ${setter} of a parser case`);
    }
  }

  #evaluate(expression: CppExpression): Value {
    switch (expression.kind) {
      case 'string':
      case 'number':
        return expression.value;
      case 'list':
        return expression.items.map((item) => this.#evaluate(item));
      case 'name':
        return this.#evaluateName(expression.name);
      case 'call': {
        const called = functions[expression.name];
        if (called === undefined) throw new Error(`Unknown function ${expression.name} in a parser case`);
        return called(...expression.arguments.map((argument) => this.#evaluate(argument)));
      }
    }
  }

  #evaluateName(name: string): Value {
    if (name === 'true' || name === 'false') return name === 'true';
    if (name.startsWith('COMMON_')) return name;
    const value = this.#values.get(name);
    if (value === undefined) throw new Error(`Unknown name ${name} in a parser case`);
    return value;
  }
}

function lastWord(value: Value): string {
  return String(value).split('_').at(-1)?.toLowerCase() ?? '';
}

/** All cases `tst.test(…)….run()` of test-chat.cpp, in its order. */
export async function readParserCases(): Promise<ParserCase[]> {
  const tokens = await readVendoredTest('test-chat.cpp');
  const start = findTokens(tokens, ['static', 'void', 'test_template_output_peg_parsers']);
  const end = findTokens(tokens, ['static', 'void', 'test_template_generation_prompt']);
  const definitions = findTokens(tokens, ['static', 'common_chat_tool', 'special_function_tool', '{']);
  const helpers = findTokens(tokens, ['struct', 'peg_test_case']);
  if ([start, end, definitions, helpers].includes(-1)) throw new Error('test-chat.cpp has another form now');
  const interpreter = new Interpreter(tokens);
  interpreter.run(definitions, helpers);
  interpreter.run(start, end);
  return interpreter.cases;
}

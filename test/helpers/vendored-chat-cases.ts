/** Chat rendering cases, read out of llama.cpp's own test programs. */
import { findTokens, isToken, itemsOf, parseExpression, parseSequence, textOf } from './cpp-expressions.js';
import { type Json, toJson } from './cpp-json.js';
import type { CppToken } from './cpp-tokens.js';
import { readVendoredTest } from './vendored.js';

/** A message as `applyChatTemplate` takes it. */
export interface Message {
  readonly role: string;
  readonly content: string;
}

/** A conversation, a template, and the exact prompt that must come out, from tests/test-chat-template.cpp. */
export interface ChatTemplateCase {
  readonly name: string;
  readonly template: string;
  readonly beginOfSequence: string;
  readonly endOfSequence: string;
  readonly messages: readonly Message[];
  readonly expected: string;
}

/** The cases that llama.cpp renders with its Jinja engine; one of its cases is not meant for that. */
export async function readChatTemplateCases(): Promise<ChatTemplateCase[]> {
  const tokens = await readVendoredTest('test-chat-template.cpp');
  const conversation = itemsOf(initializerOf(tokens, 'conversation')).map(toMessage);
  return itemsOf(initializerOf(tokens, 'test_cases')).flatMap((item) => {
    const [name, template, plain, jinja, begin, end, supported, extra] = itemsOf(item);
    if (supported?.kind === 'name' && supported.name === 'false') return [];
    return {
      name: textOf(name),
      template: textOf(template),
      beginOfSequence: begin === undefined ? '' : textOf(begin),
      endOfSequence: end === undefined ? '' : textOf(end),
      messages: [...conversation, ...(extra === undefined ? [] : itemsOf(extra).map(toMessage))],
      // An empty Jinja expectation means: the same as the one of the built-in templates.
      expected: (jinja === undefined ? '' : textOf(jinja)) || textOf(plain),
    };
  });
}

/** The initializer of a `std::vector<…> name {…}` or `… name = {…}`. */
function initializerOf(tokens: readonly CppToken[], name: string) {
  for (const declaration of [
    ['>', name, '{'],
    ['>', name, '=', '{'],
  ]) {
    const index = findTokens(tokens, declaration);
    if (index !== -1) return parseExpression(tokens, index + declaration.length - 1).value;
  }
  throw new Error(`No initializer of ${name} was found in the vendored test`);
}

function toMessage(expression: Parameters<typeof itemsOf>[0]): Message {
  const [role, content] = itemsOf(expression);
  return { role: textOf(role), content: textOf(content) };
}

/** A template, the variables it sees, and the exact text that must come out, from tests/test-jinja.cpp. */
export interface JinjaCase {
  readonly name: string;
  readonly template: string;
  readonly variables: { readonly [name: string]: Json };
  readonly expected: string;
}

export async function readJinjaCases(): Promise<JinjaCase[]> {
  const tokens = await readVendoredTest('test-jinja.cpp');
  const cases: JinjaCase[] = [];
  const call = ['test_template', '(', 't', ','];
  for (let index = findTokens(tokens, call); index !== -1; index = findTokens(tokens, call, index + 1)) {
    const [, name, template, variables, expected] = parseSequence(tokens, index + 1, ')').value;
    const values = variables === undefined ? null : toJson(variables);
    if (typeof values !== 'object' || values === null || Array.isArray(values)) {
      throw new Error(`The variables of the Jinja case "${textOf(name)}" are not an object`);
    }
    cases.push({
      name: textOf(name),
      template: textOf(template),
      variables: values as { readonly [name: string]: Json },
      expected: textOf(expected),
    });
  }
  return cases;
}

/** A template file and the text that must open the model's turn, from tests/test-chat.cpp. */
export interface GenerationPromptCase {
  /** Name in models/templates. */
  readonly file: string;
  readonly messages: readonly Message[];
  readonly generationPrompt: string;
}

/**
 * Reads the checks `check(tmpls, basic(), "…")`, which render a system and a user message. Those of the same function
 * that continue a half-written answer are left out: `applyChatTemplate` has no such input.
 */
export async function readGenerationPromptCases(): Promise<GenerationPromptCase[]> {
  const tokens = await readVendoredTest('test-chat.cpp');
  const start = findTokens(tokens, ['void', 'test_template_generation_prompt', '(', ')', '{']);
  const end = findTokens(tokens, ['static', 'void'], start + 1);
  if (start === -1 || end === -1) throw new Error('test_template_generation_prompt was not found');
  const body = tokens.slice(start, end);
  const messages = [
    { role: 'system', content: assignedText(body, ['system_msg', '.', 'content', '=']) },
    { role: 'user', content: userContent(tokens) },
  ];
  const cases: GenerationPromptCase[] = [];
  let files: readonly string[] = [];
  for (let index = 0; index < body.length; index++) {
    files = templatesReadAt(body, index) ?? files;
    if (findTokens(body.slice(index, index + 7), ['check', '(', 'tmpls', ',', 'basic', '(', ')']) !== 0)
      continue;
    const generationPrompt = textOf(parseExpression(body, index + 8).value);
    cases.push(...files.map((file) => ({ file, messages, generationPrompt })));
  }
  return cases;
}

/** The template files named at an index: one in `read_templates("…")`, or several in `for (const char * tmpl : {…})`. */
function templatesReadAt(tokens: readonly CppToken[], index: number): string[] | undefined {
  const fileName = (path: string) => path.replace(/^models\/templates\//, '');
  if (isToken(tokens, index, 'read_templates') && tokens[index + 2]?.kind === 'string') {
    return [fileName(textOf(parseExpression(tokens, index + 2).value))];
  }
  const loop = ['for', '(', 'const', 'char', '*', 'tmpl', ':', '{'];
  if (loop.every((text, offset) => isToken(tokens, index + offset, text))) {
    return itemsOf(parseExpression(tokens, index + loop.length - 1).value).map((item) =>
      fileName(textOf(item)),
    );
  }
  return undefined;
}

function assignedText(tokens: readonly CppToken[], target: readonly string[]): string {
  const index = findTokens(tokens, target);
  if (index === -1) throw new Error(`No assignment to ${target.join('')} was found`);
  return textOf(parseExpression(tokens, index + target.length).value);
}

function userContent(tokens: readonly CppToken[]): string {
  const index = findTokens(tokens, ['common_chat_msg', 'message_user', '{']);
  if (index === -1) throw new Error('No definition of message_user was found');
  const sequence = parseSequence(tokens, index + 2, '}');
  return textOf(sequence.value[1]);
}

import { isTemplateMark } from '../gguf/template-marks.js';
import { addonOf, type ModelHandle } from '../native/addon.js';
import type { Json } from './native-messages.js';

/** What control tokens of a vocabulary, and marks like them, are written as, in forms that are quick to search for. */
interface ControlTexts {
  /** Finds one of them. */
  readonly pattern: RegExp | undefined;
  /** Their beginnings and ends, without the whole. */
  readonly beginnings: ReadonlySet<string>;
  readonly ends: ReadonlySet<string>;
  readonly longest: number;
}

/** By model and template: of the user-defined tokens only the marks of a template are control texts. */
const known = new WeakMap<ModelHandle, Map<string, ControlTexts>>();

function controlTextsOf(model: ModelHandle, template: string): ControlTexts {
  const ofModel = known.get(model) ?? new Map<string, ControlTexts>();
  known.set(model, ofModel);
  const found = ofModel.get(template) ?? makeControlTexts(model, template);
  ofModel.set(template, found);
  return found;
}

function makeControlTexts(model: ModelHandle, template: string): ControlTexts {
  // The texts come longest first, so that a longer one is found where a shorter one begins alike.
  const texts = addonOf(model)
    .getControlTexts(model)
    .filter(
      ({ text, isUserDefined }) => text.length > 1 && (!isUserDefined || isTemplateMark(text, template)),
    )
    .map(({ text }) => text);
  const escaped = texts.map((text) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  const beginnings = new Set<string>();
  const ends = new Set<string>();
  for (const text of texts) {
    for (let length = 1; length < text.length; length++) {
      beginnings.add(text.slice(0, length));
      ends.add(text.slice(-length));
    }
  }
  return {
    pattern: escaped.length === 0 ? undefined : new RegExp(escaped.join('|'), 'g'),
    beginnings,
    ends,
    longest: texts[0]?.length ?? 0,
  };
}

/** Values with a mark in every control token's text. */
export interface Marked<Value> {
  readonly value: Value;
  /** False: there was none, and the value is as it was. */
  readonly found: boolean;
  readonly mark: string;
  /** The mark as JSON writes it where it escapes all but ASCII. */
  readonly escapedMark: string;
}

/** What the texts go into. */
export interface MarkedFor {
  /** The chat template: the mark is a character that it does not use, and its own marks are control texts. */
  readonly template: string;
  /** How the model marks its thoughts. */
  readonly reasoningStart?: string | undefined;
  readonly reasoningEnds?: readonly string[] | undefined;
}

/** Puts a mark behind the first character of each control token's text. */
class Marker {
  found = false;
  readonly #texts: ControlTexts;
  readonly #mark: string;
  readonly #target: MarkedFor;

  constructor(texts: ControlTexts, mark: string, target: MarkedFor) {
    this.#texts = texts;
    this.#mark = mark;
    this.#target = target;
  }

  /** A message in llama.cpp's form; its role and the types of its parts are words of the protocol, not text. */
  markMessage(message: Json): Json {
    const { content, tool_calls: calls, role, ...others } = message as { readonly [key: string]: Json };
    const hasThoughts = role === 'assistant' && others.reasoning_content === undefined;
    return {
      role: role ?? '',
      content: Array.isArray(content)
        ? content.map((part) => ({ ...part, text: this.markValue(part.text, true) }))
        : hasThoughts && typeof content === 'string'
          ? this.#markAnswer(content)
          : this.markValue(content ?? '', true),
      ...(this.markValue(others, true) as object),
      ...(Array.isArray(calls) && {
        tool_calls: calls.map((call) => ({
          ...call,
          id: this.markValue(call.id, true),
          function: this.markValue(call.function, true),
        })),
      }),
    };
  }

  /** @param atEdges mark also what may become one together with a neighbour. */
  markValue(value: Json, atEdges: boolean): Json {
    if (typeof value === 'string') return this.#markText(value, atEdges);
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map((item) => this.markValue(item, atEdges));
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [this.#markText(key, false), this.markValue(item, atEdges)]),
    );
  }

  /** An answer that begins with thoughts, as programs keep it that do not tell them apart, is read as such. */
  #markAnswer(content: string): string {
    const { reasoningStart: start = '', reasoningEnds: ends = [] } = this.#target;
    if (start === '' || !content.trimStart().startsWith(start)) return this.#markText(content, true);
    const inner = content.indexOf(start) + start.length;
    for (const end of ends) {
      const at = end === '' ? -1 : content.indexOf(end, inner);
      if (at < 0) continue;
      const [thoughts, answer] = [content.slice(inner, at), content.slice(at + end.length)];
      return content.slice(0, inner) + this.#markText(thoughts, true) + end + this.#markText(answer, true);
    }
    return this.#markText(content, true);
  }

  #markText(text: string, atEdges: boolean): string {
    const places = this.#placesIn(text, atEdges);
    if (places.size === 0) return text;
    this.found = true;
    let marked = '';
    let from = 0;
    for (const place of [...places].sort((a, b) => a - b)) {
      marked += text.slice(from, place) + this.#mark;
      from = place;
    }
    return marked + text.slice(from);
  }

  #placesIn(text: string, atEdges: boolean): Set<number> {
    const places = new Set<number>();
    const { pattern, beginnings, ends, longest } = this.#texts;
    if (pattern === undefined) return places;
    pattern.lastIndex = 0;
    for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
      places.add(match.index + firstCharacterLength(text, match.index));
      pattern.lastIndex = match.index + 1; // one may lie in another
    }
    if (!atEdges) return places;
    // Two pieces of text that a template puts side by side may make one together.
    for (let length = 1; length < longest && length <= text.length; length++) {
      const start = text.length - length;
      if (beginnings.has(text.slice(start))) places.add(start + firstCharacterLength(text, start));
      if (ends.has(text.slice(0, length))) places.add(firstCharacterLength(text, 0));
    }
    return places;
  }
}

function firstCharacterLength(text: string, index: number): number {
  return (text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1;
}

/** A character of the private use area that occurs nowhere in the texts. */
function unusedCharacter(texts: string): string {
  for (let code = 0xe000; code <= 0xf8ff; code++) {
    const character = String.fromCharCode(code);
    if (!texts.includes(character)) return character;
  }
  return '\u{10fffd}';
}

/** What a conversation is rendered from, in llama.cpp's form. */
export interface Renderable {
  readonly messages: readonly Json[];
  readonly tools: readonly Json[];
}

/**
 * Marks the control tokens' texts in what callers wrote, so that the template is rendered without seeing them and
 * `TokenizeMarked` of the addon reads them as plain text.
 */
export function markControlTexts(
  model: ModelHandle,
  value: Renderable,
  target: MarkedFor,
): Marked<Renderable> {
  const mark = unusedCharacter(JSON.stringify(value) + target.template);
  const marker = new Marker(controlTextsOf(model, target.template), mark, target);
  const marked = {
    messages: value.messages.map((message) => marker.markMessage(message)),
    tools: value.tools.map((tool) => marker.markValue(tool, false)),
  };
  return {
    value: marked,
    found: marker.found,
    mark,
    escapedMark: `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`,
  };
}

import { createError, LlamaNativeError } from '../errors.js';
import { getAddon, type NativeRenderedChat } from '../native/addon.js';
import { type ThoughtTags, withThoughts } from './thoughts-grammar.js';

/** How thoughts are marked, if the model can think; of several ends the first. */
function thoughtTagsOf(rendered: NativeRenderedChat): ThoughtTags | undefined {
  const { generationPrompt, reasoningStartText: start = '', reasoningEndTexts: [end = ''] = [] } = rendered;
  if (start === '' || end === '') return undefined;
  const isOpen = generationPrompt.lastIndexOf(start) > generationPrompt.lastIndexOf(end);
  return { start, end, isOpen };
}

/** Whether a template's form of answers has room for JSON and nothing else. */
async function takesJson({ format, parser: source, generationPrompt }: NativeRenderedChat): Promise<boolean> {
  const addon = getAddon();
  const parser = await addon.createChatParser({ format, source, generationPrompt, isContinuation: false });
  try {
    await addon.parseChat(parser, '{}', false);
    return true;
  } catch (error) {
    if (LlamaNativeError.isInstance(error) && error.code === 'CHAT_OUTPUT_INVALID') return false;
    throw error;
  }
}

/**
 * A grammar of the answer where llama.cpp makes none of a schema: some of its forms, such as that of Kimi K2, know only
 * tools. It begins with the answer itself.
 * @param schema as JSON, in llama.cpp's form.
 * @throws InvalidArgumentError INVALID_SCHEMA where answers of the template cannot be JSON alone.
 */
export async function grammarOfAnswer(rendered: NativeRenderedChat, schema: string): Promise<string> {
  if (!(await takesJson(rendered))) {
    throw createError(
      'INVALID_SCHEMA',
      'Expected a chat template whose answers can be JSON alone; this one puts marks of its own around them. generateObject without enableThinking writes JSON with every template.',
    );
  }
  const grammar = await getAddon().jsonSchemaToGrammar(schema);
  const tags = thoughtTagsOf(rendered);
  return tags === undefined ? grammar : withThoughts(grammar, tags);
}

/** Elements that some vocabularies, such as Gemma's, have tokens for: their tags are text like any other. */
const htmlElements =
  'a|b|blockquote|br|caption|code|dd|del|div|dl|dt|em|h[1-6]|hr|i|ins|li|ol|p|pre|s|small|span|strong|sub|sup|table|tbody|td|tfoot|th|thead|tr|u|ul';
const htmlTag = new RegExp(`^</?(?:${htmlElements})/?>$`);

/** What looks like a mark: something in angle or square brackets. */
const markLike = /^(?:<.+>|\[.+\])$/su;

/** What a template may have as a mark and not as part of its program: letters and a sign in one. */
const wordWithSign = /\p{L}.*[^\s\p{L}\p{N}]|[^\s\p{L}\p{N}].*\p{L}/su;

/**
 * Whether a user-defined token marks something to the model, as `<|channel|>` of gpt-oss does. Others are text for which
 * a vocabulary has a token of its own: white space, letters, tags of HTML.
 * @param template the chat template, whose marks may look in any way.
 */
export function isTemplateMark(text: string, template: string): boolean {
  if (markLike.test(text) && !htmlTag.test(text)) return true;
  return wordWithSign.test(text) && template.includes(text);
}

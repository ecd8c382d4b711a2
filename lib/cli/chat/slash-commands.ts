/** A command typed in the chat, such as `/save talk.json`. */
export interface SlashCommand {
  readonly name: string;
  readonly argument: string;
}

/** What `/help` lists, in its order. */
export const slashCommands: readonly (readonly [usage: string, meaning: string])[] = [
  ['/help', 'show this'],
  ['/reset', 'begin a new conversation (also /new)'],
  ['/history', 'show the conversation'],
  ['/system <text>', 'begin a new conversation with this system message; without text, show it'],
  ['/save <file>', 'save the conversation as JSON'],
  ['/exit', 'leave (also /quit and Ctrl-D)'],
];

/** Names for the tab key. */
export const slashCommandNames: readonly string[] = [
  ...slashCommands.map(([usage]) => usage.split(' ')[0] ?? usage),
  '/new',
  '/quit',
];

/** Reads a message as a command; undefined if it is one for the model. A space before the slash makes it text. */
export function parseSlashCommand(message: string): SlashCommand | undefined {
  const match = /^\/(\S*)(?:\s+([\s\S]*))?$/.exec(message);
  return match === null ? undefined : { name: match[1] ?? '', argument: (match[2] ?? '').trim() };
}

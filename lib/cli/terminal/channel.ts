import picocolors from 'picocolors';

type Environment = Readonly<Record<string, string | undefined>>;

/** The colour functions of one stream; they return their text unchanged where colours are off. */
export type Colours = ReturnType<typeof picocolors.createColors>;

/**
 * Whether to colour what goes to a stream. `NO_COLOR` wins over `FORCE_COLOR` (https://no-color.org); without either, a
 * terminal that is not `TERM=dumb` gets colours.
 */
export function wantsColours(environment: Environment, isTerminal: boolean): boolean {
  if (environment.NO_COLOR) {
    return false;
  }
  const forced = environment.FORCE_COLOR;
  if (forced !== undefined && forced !== '') {
    return forced !== '0' && forced !== 'false';
  }
  return isTerminal && environment.TERM !== 'dumb';
}

/** An output stream, with what is known about the other end of it. */
export interface Channel {
  readonly stream: NodeJS.WritableStream;
  readonly isTerminal: boolean;
  readonly colours: Colours;
  write(text: string): void;
}

/** Wraps an output stream of the process, or one that a test reads. */
export function createChannel(
  stream: NodeJS.WritableStream & { isTTY?: boolean },
  environment: Environment,
): Channel {
  const isTerminal = stream.isTTY === true;
  return {
    stream,
    isTerminal,
    colours: picocolors.createColors(wantsColours(environment, isTerminal)),
    write(text) {
      stream.write(text);
    },
  };
}

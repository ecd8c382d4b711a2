import type { ServedModel, Server, ServerAddress } from '../../server/index.js';
import { type CommandContext, writeNote, writeWarning } from '../context.js';
import type { ProgressDisplay } from '../terminal/progress-display.js';

/** Says where the server is and what is to be found there. */
export function showAddress(
  context: CommandContext,
  { url, grpcPort }: ServerAddress,
  places: { readonly page: boolean; readonly docs: boolean; readonly hasKeys: boolean },
): void {
  const { bold, cyan, dim } = context.notes.colours;
  const lines = [
    ...(places.page ? [['chat page', `${url}/`]] : []),
    ['OpenAI API', `${url}/v1`],
    ...(places.docs ? [['all routes', `${url}/docs`]] : []),
    ...(grpcPort === undefined ? [] : [['gRPC', `port ${grpcPort}`]]),
  ];
  context.notes.write(`${bold('llama-native')} listens on ${cyan(url)}\n`);
  for (const [what = '', where = ''] of lines) context.notes.write(`  ${dim(what.padEnd(11))} ${where}\n`);
  const key = places.hasKeys ? 'Clients need a key. ' : '';
  writeNote(context, `${key}Ctrl-C ends it.`);
}

/** Shows models that come and go. */
export function showModels(context: CommandContext, server: Server, progress: ProgressDisplay): void {
  const began = new Map<string, number>();
  server.models.on('change', (model: ServedModel) => {
    const { name, state, error } = model;
    if (model.progress !== undefined) {
      progress.update(model.progress);
      return;
    }
    progress.finish();
    if (state === 'loading') began.set(name, performance.now());
    if (state === 'ready') {
      const seconds = (performance.now() - (began.get(name) ?? performance.now())) / 1000;
      writeNote(context, `${name} is ready (${seconds.toFixed(1)} s).`);
    }
    if (state === 'failed') writeWarning(context, `${name} cannot be loaded. ${error ?? ''}`);
    if (state === 'unloaded') writeNote(context, `${name} was unloaded.`);
  });
}

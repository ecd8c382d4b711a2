import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ServedModelOptions, Server } from '../../server/index.js';
import { type CommandContext, writeNote } from '../context.js';
import { findListedModel } from '../model-names.js';
import { resolveModelPath } from '../open-model.js';
import { addModelOptions, numberOption, parseBytes, parseNumber } from '../options.js';
import { parseServedModel, type ServeOptions, toServerOptions } from '../serve/server-options.js';
import { showAddress, showModels } from '../serve/show-server.js';
import { createProgressDisplay } from '../terminal/progress-display.js';

const help = `
Each model is a path, hf:owner/repo[:file-or-quantization] or an https URL; \`name=source\` gives it the name that
clients ask for. The first is loaded at once, the others when they are first asked for:

  $ llama-native serve hf:Qwen/Qwen2.5-7B-Instruct-GGUF:Q4_K_M
  $ llama-native serve chat=./qwen.gguf embed=./minilm.gguf --port 9000
  $ LLAMA_NATIVE_API_KEY=$(openssl rand -hex 24) llama-native serve ./qwen.gguf --host 0.0.0.0

SIGTERM and Ctrl-C let running requests end; Ctrl-C again ends them.`;

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

function collect(text: string, previous: readonly string[] = []): string[] {
  if (text === '') throw new InvalidArgumentError('Expected a text.');
  return [...previous, text];
}

const count = { minimum: 1, isInteger: true };

/** Adds `serve [models…]`. */
export function addServeCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('serve')
    .summary('serve models over HTTP, with a chat page')
    .description('Serve models to the clients of OpenAI, Anthropic and others, with a page to talk to them.')
    .argument('[models...]', 'what to serve (default: a small model)')
    .option('--host <address>', 'address to listen on; others than loopback need a key (default: 127.0.0.1)')
    .addOption(
      numberOption('--port <number>', 'port to listen on; 0 takes a free one (default: 8080)', {
        minimum: 0,
        maximum: 65_535,
        isInteger: true,
      }),
    )
    .option('--unix-socket <path>', 'listen on a unix socket instead')
    .addOption(
      numberOption('--sequences <count>', 'answers of a model that are made at once (default: 8)', {
        ...count,
        maximum: 64,
      }),
    )
    .addOption(
      new Option('--api-key <key>', 'a key that lets clients in; other users can see it').argParser(collect),
    )
    .option('--api-key-file <path>', 'file with a key in each line (or LLAMA_NATIVE_API_KEY)')
    .option('--tls-key <path>', 'private key, to speak TLS')
    .option('--tls-certificate <path>', 'certificate, to speak TLS')
    .addOption(
      new Option('--allowed-origin <origin>', 'pages that may ask, such as https://example.org').argParser(
        collect,
      ),
    )
    .addOption(new Option('--allowed-host <name>', 'further host name to answer to').argParser(collect))
    .option('--allow-sources', 'let administrators load models that are not named here')
    .addOption(
      new Option('--memory-budget <bytes>', 'memory for all loaded models, such as 16GB').argParser(
        parseBytes,
      ),
    )
    .addOption(
      numberOption('--queue-limit <count>', 'requests of a model that may wait (default: 256)', {
        minimum: 0,
        isInteger: true,
      }),
    )
    .addOption(numberOption('--requests-per-key <count>', 'requests of a key at once', count))
    .addOption(numberOption('--requests-per-minute <count>', 'requests of a client in a minute', count))
    .addOption(
      numberOption('--request-timeout <seconds>', 'longest request; 0 for any time (default: 600)', {
        minimum: 0,
        maximum: 2_000_000,
      }),
    )
    .addOption(
      numberOption('--shutdown-timeout <seconds>', 'how long requests may go on at the end (default: 10)', {
        minimum: 0,
        maximum: 2_000_000,
      }),
    )
    .addOption(
      new Option('--log-level <level>', 'what is logged (default: warn on a terminal, else info)').choices(
        levels,
      ),
    )
    .option('--log-prompts', 'put prompts and answers into the log')
    .option('--no-page', 'without the chat page')
    .option('--no-docs', 'without the description at /docs')
    .addOption(
      new Option('--grpc [port]', 'speak gRPC too (default port: 50051)').argParser((text: string) =>
        parseNumber(text, { minimum: 0, maximum: 65_535, isInteger: true }),
      ),
    )
    .option('--no-isolate', 'run the engines in this process, where a crash ends the server')
    .addHelpText('after', help);
  addModelOptions(command, { isIsolated: true }).action((models: string[], options: ServeOptions) =>
    serve(context, models, options),
  );
}

async function serve(
  context: CommandContext,
  sources: readonly string[],
  options: ServeOptions,
): Promise<void> {
  const models = await findModels(context, sources, options);
  const serverOptions = await toServerOptions(models, options, context.environment, context.notes.isTerminal);
  const { createServer } = await import('../../server/index.js');
  const server = await createServer(serverOptions);
  const progress = await createProgressDisplay(context.notes);
  showModels(context, server, progress);
  try {
    const address = await server.listen();
    const hasKeys = serverOptions.apiKeys !== undefined;
    showAddress(context, address, { page: options.page, docs: options.docs, hasKeys });
    await ended(context);
    await closeServer(context, server);
  } finally {
    progress.finish();
    await server.close();
  }
}

/** What is cached under the names that `list` shows is served without asking the hub. */
async function findModels(
  context: CommandContext,
  sources: readonly string[],
  options: ServeOptions,
): Promise<ServedModelOptions[]> {
  if (sources.length === 0) return [{ source: await resolveModelPath(context, undefined, options) }];
  const library = await context.loadLibrary();
  return Promise.all(
    sources.map(async (text) => {
      const model = parseServedModel(text);
      const path = await findListedModel(library, model.source, options);
      return path === undefined ? model : { name: nameOf(model), source: path };
    }),
  );
}

/** The name that the source would have given it, not that of the file in the cache. */
function nameOf({ name, source }: ServedModelOptions): string {
  return name ?? source.slice(source.lastIndexOf('/') + 1).replace(/\.gguf$/i, '');
}

/** Resolves when the server is to end. */
function ended({ interrupts: { signal } }: CommandContext): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

async function closeServer(context: CommandContext, server: Server): Promise<void> {
  const running = server.models.list().reduce((sum, { inFlight }) => sum + inFlight, 0);
  if (running > 0) writeNote(context, `Waiting for ${running} running requests. Ctrl-C again ends them.`);
  await server.close();
}

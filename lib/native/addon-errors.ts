import { createError, type LlamaNativeError } from '../errors.js';
import { describeHost, type Host } from '../host/describe-host.js';
import { currentPlace, installInstructions } from '../host/install-command.js';

function buildAdvice(): string {
  const needed = installInstructions(['compiler', 'cmake'], currentPlace()).replaceAll('\n', '\n  ');
  return (
    'To compile it on this machine:\n  npx llama-native build\n' +
    `That needs a C++17 compiler and CMake. Where they are missing:\n  ${needed}`
  );
}

/** There is no file that could be loaded on this host. */
export function addonNotFound(lookedAt: readonly string[], host: Host, cause: unknown): LlamaNativeError {
  const message =
    `No compiled addon for ${describeHost(host)}. Looked for a .node file in:\n` +
    `${lookedAt.map((path) => `  ${path}`).join('\n')}\n${buildAdvice()}`;
  return createError('ADDON_NOT_FOUND', message, { cause, details: { ...host, lookedAt } });
}

interface Explanation {
  readonly pattern: RegExp;
  explain(match: RegExpExecArray, host: Host): string;
}

/** What the words of the loaders of Linux, macOS and Windows mean, the most telling first. */
const explanations: readonly Explanation[] = [
  {
    pattern: /version [`']?GLIBC_([\d.]+)/,
    explain: ([, version], host) =>
      `The file was compiled for a newer system: it needs glibc ${version}, this machine has ${host.libcVersion}.`,
  },
  {
    pattern: /GLIBCXX|CXXABI|libstdc\+\+|libgcc_s/,
    explain: () =>
      "This machine's C++ runtime (libstdc++) is missing, or older than the one the file was compiled with.",
  },
  {
    pattern:
      /invalid ELF header|wrong ELF class|file too short|not a valid Win32|incompatible architecture|not a mach-o|slice is not valid/i,
    explain: (_, host) =>
      `The file is damaged, or was compiled for another system or processor than ${host.platform} ${host.arch}.`,
  },
  {
    pattern: /libcudart|libcublas|libcuda\b|cudart64|cublas64|nvcuda/,
    explain: () => "A library of NVIDIA's CUDA toolkit or driver was not found on this machine.",
  },
  {
    pattern: /llama-native-ggml|The specified module could not be found/,
    explain: () => "A library that belongs beside the file is missing: the package's folder is incomplete.",
  },
  {
    pattern: /did not self-register|NODE_MODULE_VERSION/,
    explain: () => 'The file is an addon for another version of Node.js.',
  },
];

function explainLoaderMessage(loaderMessage: string, host: Host): string | undefined {
  if (host.libc === 'musl') {
    return 'This system uses the C library musl, as Alpine Linux does; the files in the package are for glibc.';
  }
  for (const { pattern, explain } of explanations) {
    const match = pattern.exec(loaderMessage);
    if (match !== null) return explain(match, host);
  }
  return undefined;
}

/** The operating system refused the file. */
export function addonLoadFailed(path: string, cause: unknown, host: Host): LlamaNativeError {
  const loaderMessage = cause instanceof Error ? cause.message : String(cause);
  const lines = [
    `The addon at ${path} could not be loaded on ${describeHost(host)}: ${loaderMessage}`,
    explainLoaderMessage(loaderMessage, host),
    buildAdvice(),
  ];
  return createError('ADDON_LOAD_FAILED', lines.filter((line) => line !== undefined).join('\n'), {
    cause,
    details: { ...host, path, loaderMessage },
  });
}

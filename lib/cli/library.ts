import type * as build from '../build/toolchain.js';
import type * as ggufTokens from '../gguf/special-tokens.js';
import type * as host from '../host/describe-host.js';
import type * as place from '../host/install-command.js';
import type * as hubProxy from '../hub/proxy.js';
import type * as hubQuantization from '../hub/quantization.js';
import type * as hubSettings from '../hub/settings.js';
import type * as publicApi from '../index.js';
import type * as quantizationTypes from '../quantize/quantization-types.js';

type PublicPart = Pick<
  typeof publicApi,
  | 'loadModel'
  | 'resolveModel'
  | 'resolveDefaultModel'
  | 'defaultModel'
  | 'downloadCheckpoint'
  | 'listCachedModels'
  | 'listModelFiles'
  | 'searchModels'
  | 'recommend'
  | 'removeCachedModel'
  | 'quantize'
  | 'imatrix'
  | 'perplexity'
  | 'compare'
  | 'quantizationTypes'
  | 'readGgufMetadata'
  | 'readGgufHeaders'
  | 'summarizeGguf'
  | 'estimateMemory'
  | 'splitGguf'
  | 'mergeGguf'
  | 'editGgufMetadata'
  | 'readGgufHeader'
  | 'buildAddon'
  | 'convert'
  | 'getDevices'
  | 'getSystemInfo'
>;

/** What commands tell about this machine, its models and its cache, and programs have no use for. */
type DiagnosticPart = Pick<typeof build, 'inspectToolchain'> &
  Pick<typeof ggufTokens, 'findSpecialTokens'> &
  Pick<typeof host, 'describeHost' | 'inspectHost'> &
  Pick<typeof place, 'currentPlace'> &
  Pick<typeof hubProxy, 'fetchByEnvironment'> &
  Pick<typeof hubQuantization, 'quantizationOf'> &
  Pick<typeof quantizationTypes, 'findQuantizationType'> &
  Pick<typeof hubSettings, 'resolveCacheDirectory' | 'resolveEndpoint'>;

/**
 * What the command line uses of the library. It is loaded when a command first needs it, so that `--help` does not
 * pay for the addon, and tests can pass their own.
 */
export type Library = PublicPart & DiagnosticPart;

/** What chat and run need of a loaded model. */
export type LoadedModel = Pick<
  publicApi.Model,
  'path' | 'metadata' | 'contextSize' | 'createChat' | 'generate' | 'close'
>;

/** Loads the library. */
export async function loadLibrary(): Promise<Library> {
  const parts = await Promise.all([
    import('../index.js'),
    import('../build/toolchain.js'),
    import('../gguf/special-tokens.js'),
    import('../host/describe-host.js'),
    import('../host/install-command.js'),
    import('../hub/proxy.js'),
    import('../hub/quantization.js'),
    import('../hub/settings.js'),
    import('../quantize/quantization-types.js'),
  ]);
  const [publicPart, toolchain, tokens, machine, installation, proxy, quantization, settings, types] = parts;
  return {
    ...publicPart,
    ...toolchain,
    ...tokens,
    ...machine,
    ...installation,
    ...proxy,
    ...quantization,
    ...settings,
    ...types,
  };
}

/**
 * llama-native/server: models as a service, over HTTP as OpenAI, Anthropic and others speak it.
 *
 * Begin with {@link createServer}.
 */
export type { ModelState, ServedLoadOptions, ServedModel, ServedModelOptions } from './models/types.js';
export type { ApiKeyOptions, GrpcOptions, ServerOptions, TlsOptions } from './options.js';
export { createServer, type Server, type ServerAddress } from './server.js';

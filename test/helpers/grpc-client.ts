import { fileURLToPath } from 'node:url';
import {
  type CallOptions,
  type ChannelCredentials,
  type ChannelOptions,
  Client,
  credentials,
  Metadata,
  type ServiceDefinition,
  type ServiceError,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

const protoPath = fileURLToPath(new URL('../../proto/llama_native.proto', import.meta.url));
const definition = loadSync(protoPath, { longs: Number, enums: String, defaults: true });

/** A message, as it comes. */
export type Message = Readonly<Record<string, unknown>>;

/** What a stream brought, and how it ended. */
export interface StreamOutcome {
  readonly messages: readonly Message[];
  readonly error: ServiceError | undefined;
}

/** A client of a service that is described in a proto file. */
export class GrpcClient {
  readonly client: Client;
  readonly #service: ServiceDefinition;

  constructor(
    address: string,
    options: {
      readonly credentials?: ChannelCredentials;
      readonly channel?: ChannelOptions;
      readonly service?: ServiceDefinition;
    } = {},
  ) {
    this.client = new Client(address, options.credentials ?? credentials.createInsecure(), options.channel);
    this.#service = options.service ?? (definition['llama_native.v1.LlamaNative'] as ServiceDefinition);
  }

  /** A call that is answered once. @throws ServiceError. */
  call(method: string, request: object, metadata: Record<string, string> = {}, options: CallOptions = {}) {
    const { path, requestSerialize, responseDeserialize } = this.#find(method);
    return new Promise<Message>((resolve, reject) => {
      this.client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize as (bytes: Buffer) => Message,
        request,
        toMetadata(metadata),
        options,
        (error, answer) => (error ? reject(error) : resolve(answer as Message)),
      );
    });
  }

  /** A call that is answered with a stream. */
  open(method: string, request: object, metadata: Record<string, string> = {}, options: CallOptions = {}) {
    const { path, requestSerialize, responseDeserialize } = this.#find(method);
    return this.client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize as (bytes: Buffer) => Message,
      request,
      toMetadata(metadata),
      options,
    );
  }

  /** All that a stream brings, until it ends. */
  stream(method: string, request: object, metadata: Record<string, string> = {}): Promise<StreamOutcome> {
    const messages: Message[] = [];
    const call = this.open(method, request, metadata);
    return new Promise((resolve) => {
      call.on('data', (message: Message) => messages.push(message));
      call.on('error', (error: ServiceError) => resolve({ messages, error }));
      call.on('end', () => resolve({ messages, error: undefined }));
    });
  }

  close(): void {
    this.client.close();
  }

  #find(method: string) {
    const found = this.#service[method];
    if (found === undefined) throw new Error(`no method ${method}`);
    return found;
  }
}

function toMetadata(values: Record<string, string>): Metadata {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(values)) metadata.set(key, value);
  return metadata;
}

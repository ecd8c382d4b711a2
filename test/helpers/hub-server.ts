import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A repository that the server has. */
export interface HubRepository {
  /** 40 hex digits; what `main` stands for. */
  commit: string;
  files: Record<string, Buffer>;
  /** Token without which the repository does not exist. */
  token?: string;
  /** The repository is listed, but its files need accepted terms. */
  isGated?: boolean;
  /** Files kept in git itself and not in large-file storage. */
  plainFiles?: readonly string[];
}

/** What the server does wrong. Lists are used up, one entry for each request for bytes. */
export interface Misbehaviour {
  /** Ends the connection after so many bytes. */
  cutAfterBytes?: number[];
  /** Answers with this status instead. */
  failures?: { status: number; headers?: Record<string, string> }[];
  /** Answers API requests with this status instead. */
  apiFailures?: { status: number; headers?: Record<string, string> }[];
  /** Changes a byte of everything it sends. */
  corrupts?: boolean;
  /** Announces and sends so many bytes more or less. */
  sizeError?: number;
  /** Sends everything, whatever range was asked for. */
  ignoresRange?: boolean;
  /** Sends no more than this over each connection. */
  bytesPerSecond?: number;
  /** Answers 429 to requests for bytes while so many are being answered. */
  mostStreams?: number;
  /** Accepts requests and never answers. */
  hangs?: boolean;
  /** Sends headers and this many bytes, then nothing for ever. */
  stallsAfterBytes?: number;
}

/** One request that the server got. */
export interface LoggedRequest {
  readonly origin: 'hub' | 'storage';
  readonly method: string;
  readonly path: string;
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
  readonly authorization: string | undefined;
  /** Bytes of the body that were sent. */
  sentBytes: number;
}

/** A file outside of any repository, at `/files/<name>`. */
export interface PlainFile {
  body: Buffer;
  headers?: Record<string, string>;
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const gitId = (bytes: Buffer) =>
  createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');

/**
 * A server that speaks the hub's protocol over real connections: its API for models and trees (in pages), file
 * addresses that redirect to a storage server of another origin, ranges, ETags and the headers of large-file storage.
 */
export class HubServer implements AsyncDisposable {
  readonly requests: LoggedRequest[] = [];
  readonly repositories: Record<string, HubRepository>;
  readonly files: Record<string, PlainFile> = {};
  misbehaviour: Misbehaviour = {};
  /** Most files that were being sent at a time. */
  mostStreams = 0;
  #streams = 0;
  /** The hub's address; it stays the same after the server is closed. */
  url = '';
  readonly #hub: Server;
  readonly #storage: Server;

  private constructor(repositories: Record<string, HubRepository>) {
    this.repositories = repositories;
    this.#hub = createServer((request, response) => this.#answerHub(request, response));
    this.#storage = createServer((request, response) => this.#answerStorage(request, response));
  }

  static async start(repositories: Record<string, HubRepository> = {}): Promise<HubServer> {
    const server = new HubServer(repositories);
    for (const part of [server.#hub, server.#storage]) {
      await new Promise<void>((resolve) => part.listen(0, '127.0.0.1', resolve));
    }
    server.url = addressOf(server.#hub);
    return server;
  }

  /** Requests for bytes of files. */
  get downloads(): LoggedRequest[] {
    return this.requests.filter(
      (request) => request.origin === 'storage' || request.path.startsWith('/files/'),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const part of [this.#hub, this.#storage]) {
      part.closeAllConnections();
      await new Promise((resolve) => part.close(resolve));
    }
  }

  #log(origin: LoggedRequest['origin'], request: IncomingMessage): LoggedRequest {
    const entry: LoggedRequest = {
      origin,
      method: request.method ?? '',
      path: request.url ?? '',
      range: request.headers.range,
      ifRange: singleHeader(request.headers['if-range']),
      authorization: request.headers.authorization,
      sentBytes: 0,
    };
    this.requests.push(entry);
    return entry;
  }

  #answerHub(request: IncomingMessage, response: ServerResponse): void {
    const log = this.#log('hub', request);
    if (!this.misbehaviour.hangs) this.#route(log, response)();
  }

  #route(log: LoggedRequest, response: ServerResponse): () => void {
    const refuse = (status: number, code?: string) => () => {
      fail(response, status, code === undefined ? {} : { 'x-error-code': code });
    };
    const url = new URL(log.path, this.url);
    const parts = url.pathname.split('/').slice(1).map(decodeURIComponent);
    if (parts[0] === 'files') return () => this.#answerFile(parts[1] ?? '', log, response);
    const isApi = parts[0] === 'api';
    const failure = isApi ? this.misbehaviour.apiFailures?.shift() : undefined;
    if (failure) return () => fail(response, failure.status, failure.headers);
    const [owner, name, view, revision = '', ...path] = isApi ? parts.slice(2) : parts;
    const repository = this.repositories[`${owner}/${name}`];
    const isRefused = repository?.token !== undefined && log.authorization !== `Bearer ${repository.token}`;
    if (repository === undefined || isRefused) return refuse(log.authorization ? 404 : 401, 'RepoNotFound');
    if (revision !== 'main' && revision !== repository.commit) return refuse(404, 'RevisionNotFound');
    if (view === 'resolve') return () => this.#answerResolve(path.join('/'), repository, log, response);
    if (isApi && view === 'revision')
      return () => sendJson(response, modelInfo(`${owner}/${name}`, repository));
    if (isApi && view === 'tree') return () => this.#answerTree(url, repository, response);
    return refuse(404);
  }

  /** Two entries a page, so that the second page is always needed. */
  #answerTree(url: URL, repository: HubRepository, response: ServerResponse): void {
    const from = Number(url.searchParams.get('cursor') ?? 0);
    const all = treeOf(repository);
    if (from + 2 < all.length) {
      url.searchParams.set('cursor', String(from + 2));
      response.setHeader('link', `<${url.href}>; rel="next"`);
    }
    sendJson(response, all.slice(from, from + 2));
  }

  #answerResolve(
    path: string,
    repository: HubRepository,
    log: LoggedRequest,
    response: ServerResponse,
  ): void {
    const bytes = repository.files[path];
    response.setHeader('x-repo-commit', repository.commit);
    if (bytes === undefined) {
      fail(response, 404, { 'x-error-code': 'EntryNotFound' });
    } else if (repository.isGated) {
      fail(response, log.authorization ? 403 : 401, { 'x-error-code': 'GatedRepo' });
    } else if (repository.plainFiles?.includes(path)) {
      this.#sendBytes(bytes, { etag: `"${gitId(bytes)}"` }, log, response);
    } else {
      const etag = sha256(bytes);
      const location = `${addressOf(this.#storage)}/${etag}?signature=1`;
      response.writeHead(302, { location, 'x-linked-size': bytes.length, 'x-linked-etag': `"${etag}"` });
      response.end();
    }
  }

  #answerStorage(request: IncomingMessage, response: ServerResponse): void {
    const log = this.#log('storage', request);
    const etag = log.path.slice(1).split('?')[0];
    const all = Object.values(this.repositories).flatMap((repository) => Object.values(repository.files));
    const bytes = all.find((candidate) => sha256(candidate) === etag);
    if (bytes === undefined) fail(response, 404);
    else this.#sendBytes(bytes, { etag: `"storage-${etag}"` }, log, response);
  }

  #answerFile(name: string, log: LoggedRequest, response: ServerResponse): void {
    const file = this.files[name];
    if (file === undefined) fail(response, 404);
    else this.#sendBytes(file.body, file.headers ?? {}, log, response);
  }

  #sendBytes(
    original: Buffer,
    headers: Record<string, string>,
    log: LoggedRequest,
    response: ServerResponse,
  ): void {
    const { failures, sizeError = 0, corrupts, cutAfterBytes, ignoresRange } = this.misbehaviour;
    const isBusy = this.#streams >= (this.misbehaviour.mostStreams ?? Number.POSITIVE_INFINITY);
    const failure = isBusy ? { status: 429 } : failures?.shift();
    const bytes = resize(original, sizeError, corrupts ?? false);
    const isFresh = log.ifRange === undefined || log.ifRange === headers.etag;
    const range = ignoresRange || !isFresh ? null : /^bytes=(\d+)-(\d*)$/.exec(log.range ?? '');
    const start = Number(range?.[1] ?? 0);
    const end = Math.min(range?.[2] ? Number(range[2]) + 1 : bytes.length, bytes.length);
    if (failure) {
      fail(response, failure.status, 'headers' in failure ? failure.headers : {});
    } else if (range && start >= bytes.length) {
      fail(response, 416, { 'content-range': `bytes */${bytes.length}` });
    } else {
      response.writeHead(range ? 206 : 200, {
        ...headers,
        'accept-ranges': 'bytes',
        'content-length': end - start,
        ...(range ? { 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` } : {}),
      });
      void this.#stream(bytes.subarray(start, end), cutAfterBytes?.shift(), log, response);
    }
  }

  async #stream(bytes: Buffer, cutAfter: number | undefined, log: LoggedRequest, response: ServerResponse) {
    const { bytesPerSecond, stallsAfterBytes } = this.misbehaviour;
    const limit = Math.min(cutAfter ?? bytes.length, stallsAfterBytes ?? bytes.length, bytes.length);
    const chunkSize = bytesPerSecond === undefined ? 64 << 10 : Math.max(1, Math.floor(bytesPerSecond / 50));
    this.#streams += 1;
    this.mostStreams = Math.max(this.mostStreams, this.#streams);
    for (let at = 0; at < limit && !response.destroyed; at += chunkSize) {
      const chunk = bytes.subarray(at, Math.min(at + chunkSize, limit));
      await new Promise((resolve) => response.write(chunk, resolve));
      log.sentBytes += chunk.length;
      if (bytesPerSecond !== undefined && at + chunkSize < limit)
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
    this.#streams -= 1;
    if (limit === bytes.length) response.end();
    else if (cutAfter !== undefined) response.destroy();
  }
}

function singleHeader(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function fail(response: ServerResponse, status: number, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify({ error: headers['x-error-code'] ?? 'refused' }));
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
}

function modelInfo(id: string, repository: HubRepository): unknown {
  const siblings = Object.keys(repository.files).map((rfilename) => ({ rfilename }));
  return {
    _id: '0',
    id,
    sha: repository.commit,
    private: false,
    gated: false,
    lastModified: '2025-01-01',
    siblings,
  };
}

function treeOf(repository: HubRepository): unknown[] {
  const folders = new Set(
    Object.keys(repository.files).flatMap((path) =>
      path.includes('/') ? [path.slice(0, path.lastIndexOf('/'))] : [],
    ),
  );
  const directories = [...folders].map((path) => ({
    type: 'directory',
    path,
    size: 0,
    oid: gitId(Buffer.from(path)),
  }));
  const files = Object.entries(repository.files).map(([path, bytes]) => {
    const file = { type: 'file', path, size: bytes.length, oid: gitId(bytes) };
    if (repository.plainFiles?.includes(path)) return file;
    return { ...file, lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 134 } };
  });
  return [...directories, ...files];
}

function resize(bytes: Buffer, sizeError: number, corrupts: boolean): Buffer {
  if (sizeError === 0 && !corrupts) return bytes;
  const copy = Buffer.alloc(bytes.length + sizeError);
  bytes.copy(copy);
  if (corrupts) copy[copy.length >> 1] = (copy[copy.length >> 1] ?? 0) ^ 0xff;
  return copy;
}

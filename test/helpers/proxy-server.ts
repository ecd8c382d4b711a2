import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** What a proxy was asked for. */
export interface ProxiedRequest {
  readonly method: string;
  /** The whole address, or `host:port` for a tunnel. */
  readonly target: string;
  readonly authorization: string | undefined;
}

/**
 * A proxy of HTTP that forwards requests with whole addresses and makes tunnels. Whatever host it is asked for, it
 * connects to a port of this machine: it is the only one who knows these hosts.
 */
export class ProxyServer {
  readonly requests: ProxiedRequest[] = [];
  /** `name:password` without which it answers 407. */
  credentials: string | undefined;
  /** Status with which it refuses everything. */
  refusal: number | undefined;
  readonly #server: Server;
  readonly #targetPort: number;
  readonly #sockets = new Set<Socket>();

  private constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#server = createServer((incoming, response) => this.#forward(incoming, response));
    this.#server.on('connect', (incoming: IncomingMessage, socket: Socket) => this.#tunnel(incoming, socket));
    this.#server.on('connection', (socket: Socket) => this.#sockets.add(socket));
  }

  /** Starts a proxy that is closed after the test. */
  static async start(targetPort: number): Promise<ProxyServer> {
    const proxy = new ProxyServer(targetPort);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      for (const socket of proxy.#sockets) socket.destroy();
      proxy.#server.close();
    });
    return proxy;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Notes a request; the status with which it is refused, if it is. */
  #refusalOf(incoming: IncomingMessage): number | undefined {
    const authorization = incoming.headers['proxy-authorization'];
    this.requests.push({ method: incoming.method ?? '', target: incoming.url ?? '', authorization });
    if (this.refusal !== undefined) return this.refusal;
    if (this.credentials === undefined) return undefined;
    return authorization === `Basic ${Buffer.from(this.credentials).toString('base64')}` ? undefined : 407;
  }

  #forward(incoming: IncomingMessage, response: ServerResponse): void {
    const refusal = this.#refusalOf(incoming);
    if (refusal !== undefined) {
      response.writeHead(refusal, { 'proxy-authenticate': 'Basic' }).end();
      return;
    }
    const { pathname, search } = new URL(incoming.url ?? '');
    const { 'proxy-authorization': _, ...headers } = incoming.headers;
    const options = { host: '127.0.0.1', port: this.#targetPort, path: pathname + search, headers };
    const outgoing = request({ ...options, method: incoming.method }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.on('error', () => response.destroy()).pipe(response);
    });
    outgoing.on('error', () => response.destroy());
    incoming.pipe(outgoing);
  }

  #tunnel(incoming: IncomingMessage, socket: Socket): void {
    const refusal = this.#refusalOf(incoming);
    socket.on('error', () => {});
    if (refusal !== undefined) {
      socket.end(`HTTP/1.1 ${refusal} Refused\r\nproxy-authenticate: Basic\r\n\r\n`);
      return;
    }
    const target = connect(this.#targetPort, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      target.pipe(socket).pipe(target);
    });
    target.on('error', () => socket.destroy());
    socket.on('close', () => target.destroy());
  }
}

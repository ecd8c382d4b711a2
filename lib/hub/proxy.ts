import { BlockList, isIP, isIPv6 } from 'node:net';
import type { Dispatcher } from 'undici';
import { createError } from '../errors.js';

/** The way to an address through a proxy. */
export interface ProxyRoute {
  /** With name and password, if it has them. */
  readonly proxy: URL;
  /** Name of the variable that names it. */
  readonly variable: string;
}

/**
 * The proxy that the environment names for an address: `https_proxy` for https, `http_proxy` for http, also in upper
 * case, unless `no_proxy` names the host. Addresses of this machine are asked directly, as no proxy elsewhere can reach
 * them.
 *
 * @throws `INVALID_ARGUMENT` for a proxy that is no http or https URL.
 */
export function findProxy(target: URL): ProxyRoute | undefined {
  const name = `${target.protocol.slice(0, -1)}_proxy`;
  const variable = [name, name.toUpperCase()].find((candidate) => process.env[candidate]);
  if (variable === undefined || isThisMachine(target.hostname)) return undefined;
  if (isExcepted(target, process.env.no_proxy || process.env.NO_PROXY || '')) return undefined;
  return { variable, proxy: parseProxy(variable, process.env[variable] ?? '') };
}

/** A proxy as it may be shown: without its password. */
export function describeProxy({ proxy, variable }: ProxyRoute): string {
  return `${proxy.protocol}//${proxy.host} (${variable})`;
}

/** `fetch` on the way that the environment names. */
export async function fetchByEnvironment(url: string, init: RequestInit): Promise<Response> {
  const route = findProxy(new URL(url));
  return route === undefined ? fetch(url, init) : fetchThroughProxy(url, init, route);
}

/** `fetch` through the proxy. undici is loaded when the first proxy is used. */
export async function fetchThroughProxy(
  url: string,
  init: RequestInit,
  { proxy }: ProxyRoute,
): Promise<Response> {
  const { fetch, ProxyAgent } = await import('undici');
  let agent = agents.get(proxy.href);
  if (agent === undefined) {
    const token = authorizationOf(proxy);
    // Proxies often allow tunnels to port 443 only; plain http is forwarded by them.
    agent = new ProxyAgent({
      uri: proxy.href,
      proxyTunnel: false,
      ...(token === undefined ? {} : { token }),
    });
    agents.set(proxy.href, agent);
  }
  type Init = NonNullable<Parameters<typeof fetch>[1]>;
  const answer = await fetch(url, { ...(init as unknown as Init), dispatcher: agent });
  return answer as unknown as Response;
}

/** One for each proxy, so that connections are used again. */
const agents = new Map<string, Dispatcher>();

function authorizationOf({ username, password }: URL): string | undefined {
  if (username === '') return undefined;
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(pair).toString('base64')}`;
}

function parseProxy(variable: string, text: string): URL {
  // As other programs understand it, `host:port` is enough.
  const address = text.includes('://') ? text : `http://${text}`;
  const proxy = URL.canParse(address) ? new URL(address) : undefined;
  if (proxy !== undefined && /^https?:$/.test(proxy.protocol) && proxy.hostname !== '') return proxy;
  throw createError(
    'INVALID_ARGUMENT',
    `${variable} must be the http or https address of a proxy, such as http://proxy.example.com:8080; received ` +
      `'${text.replace(/\/\/.*@/, '//…@')}'. Correct the environment variable, or name the host in NO_PROXY.`,
    { details: { variable } },
  );
}

function isThisMachine(hostname: string): boolean {
  return /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
}

/** Entries are hosts, which stand for what is below them too, with or without a port; addresses; ranges of them; `*`. */
function isExcepted(target: URL, list: string): boolean {
  const hostname = target.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const port = target.port || (target.protocol === 'https:' ? '443' : '80');
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .some((entry) => entry !== '' && matches(entry, hostname, port));
}

function matches(entry: string, hostname: string, port: string): boolean {
  if (entry === '*') return true;
  if (entry.includes('/')) return isInRange(entry, hostname);
  const [, host = '', entryPort] =
    /^\[?(.*?)\]?(?::(\d+))?$/.exec(isIPv6(entry) ? `[${entry}]` : entry) ?? [];
  if (entryPort !== undefined && entryPort !== port) return false;
  const domain = host.replace(/^\*?\./, '');
  return hostname === domain || (isIP(hostname) === 0 && hostname.endsWith(`.${domain}`));
}

function isInRange(range: string, hostname: string): boolean {
  const [address = '', bits = ''] = range.split('/');
  const family = isIP(address);
  if (family === 0 || isIP(hostname) !== family || !/^\d+$/.test(bits)) return false;
  if (Number(bits) > (family === 4 ? 32 : 128)) return false;
  const type = family === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(address, Number(bits), type);
  return list.check(hostname, type);
}

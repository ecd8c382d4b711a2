import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createError } from '../errors.js';
import { expandHome } from './settings.js';
import type { HubSource, ModelSource } from './types.js';

const hubHosts = new Set(['huggingface.co', 'www.huggingface.co', 'hf.co']);
const quantizationPattern = /^[\w.-]+$/;

/**
 * Reads the name of a model:
 *
 * - `hf:owner/repo`, `hf:owner/repo:Q4_K_M`, `hf:owner/repo:path/file.gguf`, each also with `@revision` after the
 *   repository;
 * - an https URL; one of a file on the hub (`…/resolve/…`, `…/blob/…`) becomes a hub source. Plain http is taken
 *   from this machine only, since nothing would protect the bytes on their way;
 * - anything else is a path; `~` and `file:` URLs are understood.
 *
 * @throws `SOURCE_INVALID` for text that has none of these forms.
 */
export function parseModelSource(text: string): ModelSource {
  if (typeof text !== 'string' || text.trim() === '' || text.includes('\0')) {
    throw invalid(text, 'it is empty or not a text');
  }
  const trimmed = text.trim();
  if (/^hf:/i.test(trimmed)) return parseHubName(trimmed);
  if (/^https?:/i.test(trimmed)) return parseUrl(trimmed);
  if (/^file:/i.test(trimmed)) return { kind: 'file', path: pathOfFileUrl(trimmed) };
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(trimmed)) {
    throw invalid(
      text,
      `addresses starting with '${trimmed.slice(0, trimmed.indexOf('/'))}' are not understood`,
    );
  }
  return { kind: 'file', path: resolve(expandHome(text)) };
}

function invalid(text: unknown, reason: string, cause?: unknown) {
  return createError(
    'SOURCE_INVALID',
    `A model is named by a path, by hf:owner/repo[@revision][:file-or-quantization], or by an https URL; ` +
      `received ${typeof text === 'string' ? `'${text}'` : String(text)}: ${reason}.`,
    { cause, details: { source: text } },
  );
}

function parseHubName(text: string): HubSource {
  const match = /^hf:(?:\/\/)?([^/@:]+\/[^/@:]+)(?:@([^:]*))?(?::(.*))?$/i.exec(text);
  const [, repository, revision, selector] = match ?? [];
  if (repository === undefined || !isRepositoryName(repository)) {
    throw invalid(text, "after 'hf:' comes owner/repo, then ':' and a file or quantization if one is wanted");
  }
  if (revision !== undefined && !isSafePath(revision)) throw invalid(text, `'${revision}' is not a revision`);
  const named = { kind: 'hub', repository, ...(revision === undefined ? {} : { revision }) } as const;
  if (selector === undefined) return named;
  if (/\.gguf$/i.test(selector)) {
    if (!isSafePath(selector)) throw invalid(text, `'${selector}' is not a path inside a repository`);
    return { ...named, file: selector };
  }
  if (!quantizationPattern.test(selector)) {
    throw invalid(text, `'${selector}' is neither a .gguf file nor a quantization such as Q4_K_M`);
  }
  return { ...named, quantization: selector };
}

function parseUrl(text: string): ModelSource {
  if (!URL.canParse(text)) throw invalid(text, 'it is not a well-formed URL');
  const url = new URL(text);
  if (isHubHost(url)) return parseHubUrl(url, text);
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    throw invalid(text, 'plain http would let anyone on the way change the file; use https');
  }
  return { kind: 'url', url: url.href };
}

function isHubHost(url: URL): boolean {
  if (hubHosts.has(url.hostname)) return true;
  const mirror = process.env.HF_ENDPOINT ?? '';
  return URL.canParse(mirror) && new URL(mirror).host === url.host;
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
}

/** A page or file on the hub: `/owner/repo`, `/owner/repo/tree/revision`, `/owner/repo/{resolve,blob}/revision/file`. */
function parseHubUrl(url: URL, text: string): HubSource {
  const [owner = '', name = '', view, revision, ...path] = decodeSegments(url, text);
  const repository = `${owner}/${name}`;
  const file = path.join('/');
  const isFile = view === 'resolve' || view === 'blob';
  const isPage = view === undefined || (view === 'tree' && file === '');
  const isSound =
    isRepositoryName(repository) && (revision === undefined || isSafePath(revision)) && (isFile || isPage);
  if (!isSound || (isFile && (!isSafePath(file) || !/\.gguf$/i.test(file)))) {
    throw invalid(text, 'on the hub, the address of a repository or of a .gguf file in it was expected');
  }
  const named = { kind: 'hub', repository, ...(revision === undefined ? {} : { revision }) } as const;
  return isFile ? { ...named, file } : named;
}

function decodeSegments(url: URL, text: string): string[] {
  try {
    return url.pathname.split('/').filter(Boolean).map(decodeURIComponent);
  } catch (cause) {
    throw invalid(text, 'it has a wrong percent-escape', cause);
  }
}

function pathOfFileUrl(text: string): string {
  try {
    return fileURLToPath(text);
  } catch (cause) {
    throw invalid(text, 'it is not a file URL of this machine', cause);
  }
}

/**
 * True for a relative path that stays inside the folder it is joined to, under the rules of POSIX and of Windows.
 * Names from a repository are joined to the cache folder, so a hostile one must not lead out of it.
 */
export function isSafePath(path: string): boolean {
  return (
    path !== '' &&
    !/[\\\0]/.test(path) &&
    path.split('/').every((part) => part !== '' && part !== '.' && part !== '..' && !/^[a-z]:/i.test(part))
  );
}

/** True for `owner/name`. */
export function isRepositoryName(text: string): boolean {
  return /^[\w.-]+\/[\w.-]+$/.test(text) && isSafePath(text);
}

/** The text form of a source, as {@link parseModelSource} reads it. */
export function formatHubSource(source: HubSource): string {
  const revision = source.revision === undefined ? '' : `@${source.revision}`;
  const selector = source.file ?? source.quantization;
  return `hf:${source.repository}${revision}${selector === undefined ? '' : `:${selector}`}`;
}

import { describe, expect, it } from 'vitest';
import { describeProxy, findProxy } from '../../lib/hub/proxy.js';
import { errorOf, setEnvironment } from '../helpers/hub-fixtures.js';

const unset = {
  http_proxy: undefined,
  HTTP_PROXY: undefined,
  https_proxy: undefined,
  HTTPS_PROXY: undefined,
  no_proxy: undefined,
  NO_PROXY: undefined,
};

/** The proxy for an address, as text. */
function proxyFor(address: string, environment: Record<string, string>): string | undefined {
  setEnvironment({ ...unset, ...environment });
  return findProxy(new URL(address))?.proxy.href;
}

describe('the proxy of an address', () => {
  it.each([
    ['https://hub.test/a', { HTTPS_PROXY: 'http://p:1' }, 'http://p:1/'],
    [
      'https://hub.test/a',
      { https_proxy: 'http://small:1', HTTPS_PROXY: 'http://large:1' },
      'http://small:1/',
    ],
    ['https://hub.test/a', { HTTP_PROXY: 'http://p:1' }, undefined],
    ['http://hub.test/a', { HTTP_PROXY: 'http://p:1' }, 'http://p:1/'],
    ['http://hub.test/a', { HTTPS_PROXY: 'http://p:1' }, undefined],
    ['https://hub.test/a', { HTTPS_PROXY: 'p:8080' }, 'http://p:8080/'],
    ['https://hub.test/a', { HTTPS_PROXY: 'https://p' }, 'https://p/'],
    ['https://hub.test/a', { https_proxy: '', HTTPS_PROXY: 'http://p:1' }, 'http://p:1/'],
    ['https://hub.test/a', {}, undefined],
  ])('%s with %j is %s', (address, environment, proxy) => {
    expect(proxyFor(address, environment)).toBe(proxy);
  });

  it.each([
    'http://127.0.0.1:8080/',
    'http://127.1.2.3/',
    'http://localhost:1/',
    'http://[::1]:1/',
    'http://a.localhost/',
  ])('is none for %s, which is this machine', (address) => {
    expect(proxyFor(address, { HTTP_PROXY: 'http://p:1' })).toBeUndefined();
  });

  it.each([
    ['*', true],
    ['hub.test', true],
    ['HUB.TEST', true],
    ['other.test hub.test', true],
    ['other.test,hub.test', true],
    ['test', true],
    ['.test', true],
    ['*.test', true],
    ['hub.test:443', true],
    ['hub.test:8443', false],
    ['ub.test', false],
    ['hub.test.org', false],
    ['other.test', false],
    [' , ', false],
  ])('is none for a host that NO_PROXY=%s names: %s', (list, isNone) => {
    const proxy = proxyFor('https://hub.test/', { HTTPS_PROXY: 'http://p:1', NO_PROXY: list });
    expect(proxy === undefined).toBe(isNone);
  });

  it.each([
    ['http://10.1.2.3/', '10.0.0.0/8', true],
    ['http://11.1.2.3/', '10.0.0.0/8', false],
    ['http://10.1.2.3/', '10.1.2.3', true],
    ['http://10.1.2.3:81/', '10.1.2.3:80', false],
    ['http://10.1.2.3/', '2.3', false],
    ['http://10.1.2.3/', '10.0.0.0/99', false],
    ['http://10.1.2.3/', 'fd00::/8', false],
    ['http://[fd00::1]/', 'fd00::/8', true],
    ['http://[fd00::1]/', 'fd00::1', true],
    ['http://[fd00::1]:81/', '[fd00::1]:81', true],
    ['http://hub.test/', '10.0.0.0/8', false],
  ])('of the address %s with NO_PROXY=%s: none is %s', (address, list, isNone) => {
    expect(proxyFor(address, { HTTP_PROXY: 'http://p:1', NO_PROXY: list }) === undefined).toBe(isNone);
  });

  it.each(['socks5://p:1080', 'http://', 'ftp://name:secret@p', 'http://p:99999'])(
    'that is %j is refused',
    async (proxy) => {
      setEnvironment({ ...unset, HTTPS_PROXY: proxy });
      const call = async () => findProxy(new URL('https://hub.test/'));
      const error = await errorOf(call(), 'INVALID_ARGUMENT');
      expect(error.message).toMatch(/^HTTPS_PROXY must be .*http:\/\/proxy\.example\.com:8080.*NO_PROXY/);
      expect(error.message).not.toContain('secret');
    },
  );

  it('is shown without its password', () => {
    setEnvironment({ ...unset, HTTPS_PROXY: 'http://name:secret@p:1' });
    const route = findProxy(new URL('https://hub.test/'));
    expect(route && describeProxy(route)).toBe('http://p:1 (HTTPS_PROXY)');
  });
});

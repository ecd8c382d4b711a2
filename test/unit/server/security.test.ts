import { describe, expect, it } from 'vitest';
import { Clients, keyOf } from '../../../lib/server/security/clients.js';
import { allowedHostNames, hostNameOf, originAllowed } from '../../../lib/server/security/hosts.js';
import { toServerSettings } from '../../../lib/server/settings.js';

const models = ['model.gguf'];
const key = 'secret-of-tests';

describe('keys', () => {
  it('are found by the whole text alone', () => {
    const clients = new Clients(
      toServerSettings({ models, apiKeys: [key, { key: `${key}2`, name: 'two' }] }).apiKeys,
    );
    expect(clients.find(key)).toMatchObject({ name: 'key-1', isAdmin: false });
    expect(clients.find(`${key}2`)).toMatchObject({ name: 'two' });
    for (const wrong of [undefined, '', key.slice(1), `${key} `, key.toUpperCase()]) {
      expect(clients.find(wrong)).toBeUndefined();
    }
  });

  it('let everybody in where there are none', () => {
    expect(new Clients([]).find(undefined)).toMatchObject({ name: 'anonymous', isAdmin: true });
  });

  it('are read as OpenAI and Anthropic send them', () => {
    expect(keyOf({ authorization: `Bearer ${key}` })).toBe(key);
    expect(keyOf({ authorization: `bearer  ${key}` })).toBe(key);
    expect(keyOf({ 'x-api-key': key })).toBe(key);
    expect(keyOf({ authorization: `Basic ${key}` })).toBeUndefined();
    expect(keyOf({ authorization: 'Bearer ' })).toBeUndefined();
    expect(keyOf({})).toBeUndefined();
  });

  it('never stand in the message that refuses one', () => {
    expect(() => toServerSettings({ models, apiKeys: ['short'] })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.not.stringContaining('short') }),
    );
  });
});

describe('a certificate', () => {
  it('is refused where it is none, without its text', () => {
    const tls = { key: 5, certificate: 'x' } as never;
    expect(() => toServerSettings({ models, tls })).toThrow(/tls\.key/);
    expect(() => toServerSettings({ models, tls: { key: 'x' } as never })).toThrow(/tls\.certificate/);
  });
});

describe('addresses', () => {
  it('that others reach need a key', () => {
    expect(() => toServerSettings({ models, host: '0.0.0.0' })).toThrow(/apiKeys/);
    expect(toServerSettings({ models, host: '0.0.0.0', apiKeys: [key] }).host).toBe('0.0.0.0');
    expect(toServerSettings({ models, host: '127.0.0.2' }).host).toBe('127.0.0.2');
  });

  it('are compared without port and case', () => {
    expect(hostNameOf('Example.org:8080')).toBe('example.org');
    expect(hostNameOf('[::1]:8080')).toBe('::1');
    expect(hostNameOf('localhost')).toBe('localhost');
  });

  it('of this machine answer to its own names and to those that are allowed', () => {
    const isAllowed = allowedHostNames(toServerSettings({ models, allowedHosts: ['Box.lan'] }));
    expect(['localhost', '127.0.0.1', '::1', 'box.lan'].map((name) => isAllowed?.(name))).toEqual(
      Array(4).fill(true),
    );
    expect(isAllowed?.('evil.example')).toBe(false);
  });

  it('behind keys answer to every name unless some are listed', () => {
    const settings = { models, host: '0.0.0.0', apiKeys: [key] };
    expect(allowedHostNames(toServerSettings(settings))).toBeUndefined();
    expect(
      allowedHostNames(toServerSettings({ ...settings, allowedHosts: ['a.example'] }))?.('b.example'),
    ).toBe(false);
  });
});

describe('origins', () => {
  it('are the own one and those that are allowed', () => {
    expect(originAllowed('http://127.0.0.1:8080', '127.0.0.1:8080', [])).toBe(true);
    expect(originAllowed('http://evil.example', '127.0.0.1:8080', [])).toBe(false);
    expect(originAllowed('null', '127.0.0.1:8080', [])).toBe(false);
    expect(originAllowed('https://a.example', '127.0.0.1:8080', ['https://a.example'])).toBe(true);
    expect(originAllowed('https://a.example', '127.0.0.1:8080', ['*'])).toBe(true);
  });
});

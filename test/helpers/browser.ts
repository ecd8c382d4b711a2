import { existsSync } from 'node:fs';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { onTestFinished } from 'vitest';

const places = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
];

/** A Chromium of this machine: what LLAMA_NATIVE_CHROMIUM names, or one at a usual place; undefined if there is none. */
export function findChromium(): string | undefined {
  const named = process.env.LLAMA_NATIVE_CHROMIUM;
  return named === undefined || named === '' ? places.find((path) => existsSync(path)) : named;
}

/** Why tests of the page are skipped, where they are. */
export const noChromium = 'needs Chromium: install Debian’s `chromium`, or name one in LLAMA_NATIVE_CHROMIUM';

/** Starts a browser that asks nobody for anything but the pages that it is shown. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: findChromium() ?? 'chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** A page in a browser, and what went wrong in it. */
export interface OpenPage {
  readonly page: Page;
  /** Errors of scripts, and of the content security policy. */
  readonly errors: string[];
  /** Requests that left for another origin than the page's. */
  readonly foreign: string[];
}

/** Opens an address in a browser of its own memory, closed when the test that calls it has ended. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<OpenPage> {
  const context = await browser.newContext({
    locale: 'en-US',
    viewport: { width: 1280, height: 800 },
    ...options,
  });
  onTestFinished(() => context.close());
  const page = await context.newPage();
  const errors: string[] = [];
  const foreign: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    // A refused request is logged by the browser itself; the tests look at what the page makes of it.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      errors.push(message.text());
  });
  page.on('request', (request) => {
    const address = request.url();
    if (!address.startsWith(url) && !/^(?:blob|data):/.test(address)) foreign.push(address);
  });
  await page.goto(url);
  return { page, errors, foreign };
}

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Model } from '../../../lib/index.js';
import { findChromium, launchBrowser, noChromium, openPage } from '../../helpers/browser.js';
import { startTestServer, type TestServer } from '../../helpers/test-server.js';

describe.skipIf(findChromium() === undefined)(`the page on a server with a model (${noChromium})`, () => {
  let browser: Browser;
  let started: TestServer;
  let model: Model;
  beforeAll(async () => {
    started = await startTestServer();
    await started.server.models.load('smol');
    const served = started.server.models.find('smol').model;
    if (served !== undefined) model = served;
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await started?.server.close();
  });

  it('chats, counts, holds an answer to a schema and shows its figures on the dashboard', async () => {
    const { page, errors, foreign } = await openPage(browser, started.url);
    await page.keyboard.press('Alt+Comma');
    await page.getByRole('textbox', { name: 'Temperature' }).fill('0');
    await page.getByRole('textbox', { name: 'Most tokens' }).fill('24');
    const message = page.getByRole('textbox', { name: 'Message', exact: true });
    const answer = page.locator('.message.assistant').last();
    const again = answer.getByRole('button', { name: 'Answer again' });
    await message.fill('What is the capital of France?');
    await message.press('Enter');
    await again.waitFor();
    const { text } = await model.chat([{ role: 'user', content: 'What is the capital of France?' }], {
      temperature: 0,
      maxTokens: 24,
    }).result;
    expect((await answer.locator('.markdown').textContent())?.trim()).toBe(text.trim());
    expect(await answer.locator('.figures').textContent()).toMatch(/[\d.]+ tokens\/s\d+ tokens/);

    await page.getByRole('textbox', { name: 'Most tokens' }).fill('200');
    await page.getByRole('radio', { name: 'Schema' }).check();
    const schema = { type: 'object', properties: { city: { enum: ['Paris', 'Lyon'] } }, required: ['city'] };
    await page
      .getByRole('textbox', { name: 'JSON schema' })
      .fill(JSON.stringify({ ...schema, additionalProperties: false }));
    await message.fill('Answer as JSON: what is the capital of France?');
    await message.press('Enter');
    await page.locator('.message.assistant').nth(1).getByRole('button', { name: 'Answer again' }).waitFor();
    expect(JSON.parse((await answer.locator('pre').textContent()) ?? '')).toEqual({
      city: expect.stringMatching(/^(?:Paris|Lyon)$/),
    });

    await page.getByRole('button', { name: 'Dashboard' }).click();
    await page.getByRole('row', { name: /smol Ready/ }).waitFor();
    expect({ errors, foreign }).toEqual({ errors: [], foreign: [] });
  });
});

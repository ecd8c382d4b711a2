import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findChromium, launchBrowser, noChromium, openPage } from '../../helpers/browser.js';
import { type AnswerPiece, startPageServerForTest } from '../../helpers/page-server.js';

const message = (page: Page) => page.getByRole('textbox', { name: 'Message', exact: true });
const answers = (page: Page) => page.locator('.message.assistant');
const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name, exact: true });

async function ask(page: Page, text: string): Promise<void> {
  await message(page).fill(text);
  await message(page).press('Enter');
}

/** Waits until the last answer is whole: only then it may be asked for again. */
async function answered(page: Page): Promise<void> {
  await answers(page).last().getByRole('button', { name: 'Answer again' }).waitFor();
}

const cut = (text: string): AnswerPiece[] => text.match(/[\s\S]{1,4}/g) ?? [];

describe.skipIf(findChromium() === undefined)(`the page in a browser (${noChromium})`, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  it('streams an answer with its reasoning folded, its figures, and nothing from elsewhere', async () => {
    const server = await startPageServerForTest();
    server.script = () => ({ pieces: [{ reasoning: 'Let me think.' }, ...cut('It is **forty-two**.')] });
    const { page, errors, foreign } = await openPage(browser, server.url);
    await ask(page, 'What is the answer?');
    await answered(page);
    await expect.poll(() => answers(page).locator('strong').first().textContent()).toBe('forty-two');
    expect(await page.getByText('Let me think.').count()).toBe(0);
    await button(page, /^Thought for/).click();
    expect(await page.getByText('Let me think.').count()).toBe(1);
    expect(await page.locator('.figures').textContent()).toMatch(/tokens\/s.*6 tokens.*prompt 24, 12 cached/);
    expect(server.asked[0]).toMatchObject({ model: 'scripted-model', stream: true });
    expect({ errors, foreign }).toEqual({ errors: [], foreign: [] });
  });

  it('sends with Enter, but not with the Enter of an input method, nor with Shift', async () => {
    const server = await startPageServerForTest();
    const { page } = await openPage(browser, server.url);
    await message(page).fill('ni hao');
    const press = (init: string) =>
      page.evaluate(
        `document.querySelector('#composer-text').dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true, ${init} }))`,
      );
    await press('isComposing: true');
    await press('keyCode: 229');
    await message(page).press('Shift+Enter');
    await message(page).pressSequentially('second');
    expect(await message(page).inputValue()).toBe('ni hao\nsecond');
    expect(server.asked).toEqual([]);
    await message(page).press('Enter');
    await answered(page);
    expect(server.asked[0]?.messages).toEqual([{ role: 'user', content: 'ni hao\nsecond' }]);
  });

  it('stops an answer, keeps what has come, and lets go of the server', async () => {
    const server = await startPageServerForTest();
    server.script = () => ({ pieces: Array.from({ length: 500 }, (_, index) => `w${index} `), pauseMs: 20 });
    const { page } = await openPage(browser, server.url);
    await ask(page, 'Count');
    await page.getByText('w3').waitFor();
    await page.keyboard.press('Escape');
    await answered(page);
    expect(await answers(page).textContent()).toContain('Stopped.');
    await expect.poll(() => server.cancelled.length).toBe(1);
  });

  it('keeps versions of questions and answers, and all of it over a reload', async () => {
    const server = await startPageServerForTest();
    let count = 0;
    server.script = () => ({ pieces: [`answer ${++count}`] });
    const { page } = await openPage(browser, server.url);
    await ask(page, 'first question');
    await answered(page);
    await button(page, 'Answer again').click();
    await page.getByText('answer 2').waitFor();
    await answered(page);
    await page.keyboard.press('Alt+BracketLeft');
    await page.getByText('answer 1').waitFor();
    await page.keyboard.press('Alt+e');
    await page.getByRole('textbox', { name: 'Edit message' }).fill('edited question');
    await page.keyboard.press('Enter');
    await page.getByText('answer 3').waitFor();
    await answered(page);
    expect(server.asked.at(-1)?.messages).toEqual([{ role: 'user', content: 'edited question' }]);
    await page.reload();
    await page.locator('.conversation-title').click();
    await page.getByText('answer 3').waitFor();
    await page.locator('.message.user').getByRole('button', { name: 'Previous version' }).click();
    await page.getByText('first question', { exact: true }).last().waitFor();
    expect(await answers(page).textContent()).toContain('answer 1');
  });

  it('renames, exports, deletes and imports conversations', async () => {
    const server = await startPageServerForTest();
    const { page } = await openPage(browser, server.url);
    await ask(page, 'Plan a trip');
    await answered(page);
    await page.locator('.conversation').hover();
    await button(page, 'Rename “Plan a trip”').click();
    await page.getByRole('textbox', { name: 'Rename' }).fill('Lhasa');
    await page.keyboard.press('Enter');
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page
        .locator('.conversation')
        .hover()
        .then(() => button(page, 'Export “Lhasa”').click()),
    ]);
    expect(download.suggestedFilename()).toBe('Lhasa.json');
    const file = await download.path();
    await button(page, 'Delete “Lhasa”').click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.getByText('No conversations yet').waitFor();
    expect(await page.locator('.message').count()).toBe(0);
    await button(page, 'Settings').click();
    await page.locator('#import-file').setInputFiles(file);
    await page.locator('.conversation-title', { hasText: 'Lhasa' }).click();
    await page.getByText('Hello there.').waitFor();
    await page
      .locator('#import-file')
      .setInputFiles({ name: 'x.json', mimeType: '', buffer: Buffer.from('{}') });
    await page.getByText('The file holds no conversations of this page.').waitFor();
  });

  it('shows hostile output as harmless text', async () => {
    const server = await startPageServerForTest();
    const hostile = [
      '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>',
      '![spy](https://tracker.example/pixel.png)',
      '[click](javascript:window.hacked=1) and [fine](https://example.org/)',
      '<iframe src="https://example.org"></iframe><b onclick="window.hacked=1">bold</b>',
      '```html\n<img src=x onerror="window.hacked=1">\n```',
    ].join('\n\n');
    server.script = () => ({ pieces: cut(hostile) });
    const { page, errors, foreign } = await openPage(browser, server.url);
    await ask(page, 'Show me something');
    await answered(page);
    await page.locator('.hljs-tag, .hljs-name').first().waitFor();
    expect(await answers(page).locator('img, script, iframe, [onerror], [onclick], [style]').count()).toBe(0);
    expect(await page.evaluate('window.hacked')).toBeUndefined();
    const links = answers(page).locator('a[href]');
    expect(await links.evaluateAll((all) => all.map((link) => link.getAttribute('href')))).toEqual([
      'https://tracker.example/pixel.png',
      'https://example.org/',
    ]);
    expect(await links.last().getAttribute('rel')).toContain('noopener');
    expect({ errors, foreign }).toEqual({ errors: [], foreign: [] });
  });

  it('keeps what tables, lists and tasks say of themselves', async () => {
    const server = await startPageServerForTest();
    server.script = () => ({
      pieces: cut('| a |\n| ---: |\n| 1 |\n\n3. three\n4. four\n\nThen\n\n- [x] done\n- [ ] open'),
    });
    const { page } = await openPage(browser, server.url);
    await ask(page, 'Lists');
    await answered(page);
    expect(await page.locator('td').getAttribute('align')).toBe('right');
    expect(await page.locator('.table-frame').getAttribute('tabindex')).toBe('0');
    expect(await page.locator('ol').getAttribute('start')).toBe('3');
    const tasks = answers(page).getByRole('checkbox');
    expect(await tasks.evaluateAll((all) => all.map((task) => task.hasAttribute('checked')))).toEqual([
      true,
      false,
    ]);
    expect(await tasks.first().isDisabled()).toBe(true);
  });

  it('colours finished code and copies it', async () => {
    const server = await startPageServerForTest();
    server.script = () => ({
      pieces: cut('- in a list:\n\n  ```python\n  x = 1\n  ```\n\n```typescript\nconst a = 1;\n```'),
    });
    const { page } = await openPage(browser, server.url, {
      permissions: ['clipboard-read', 'clipboard-write'],
    });
    await ask(page, 'Code');
    await answered(page);
    await expect.poll(() => page.locator('.hljs-keyword').first().textContent()).toBe('const');
    await button(page, 'Copy code').last().click();
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe('const a = 1;');
    await button(page, 'Copy code').first().click();
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe('x = 1');
  });

  it('holds answers to a schema, and sends nothing while it is wrong', async () => {
    const server = await startPageServerForTest();
    server.script = () => ({ pieces: cut('{"title":"KV"}') });
    const { page } = await openPage(browser, server.url);
    await page.keyboard.press('Alt+Comma');
    await page.getByRole('radio', { name: 'Schema' }).check();
    await page.getByRole('textbox', { name: 'JSON schema' }).fill('{"type":');
    await ask(page, 'A title');
    expect(await button(page, 'Send').isDisabled()).toBe(true);
    await page.getByRole('textbox', { name: 'JSON schema' }).fill('{"type":"object"}');
    await page.getByRole('textbox', { name: 'Temperature' }).fill('0.3');
    await message(page).press('Enter');
    await answered(page);
    expect(server.asked).toHaveLength(1);
    expect(server.asked[0]).toMatchObject({
      temperature: 0.3,
      response_format: { type: 'json_schema', json_schema: { schema: { type: 'object' } } },
    });
    expect(await answers(page).locator('pre').textContent()).toBe('{\n  "title": "KV"\n}');
  });

  it('asks for a key where the server wants one, and says when it is wrong', async () => {
    const server = await startPageServerForTest({ key: 'the-right-key' });
    const { page } = await openPage(browser, server.url);
    const field = page.getByRole('dialog').getByRole('textbox', { name: 'API key' });
    await field.fill('a-wrong-key');
    await field.press('Enter');
    await page.getByText('The server does not take this key.').waitFor();
    await field.fill('the-right-key');
    await field.press('Enter');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await ask(page, 'Hi');
    await answered(page);
    await page.reload();
    await expect
      .poll(() => page.getByRole('combobox', { name: 'Model' }).inputValue())
      .toBe('scripted-model');
  });

  it.each([
    [
      'refused',
      { refuse: { status: 429, message: 'Too many.', code: 'queue_full', retryAfter: 7 } },
      'Too many. Try again in 7 s.',
    ],
    [
      'broken off',
      { pieces: ['Half'], pauseMs: 300, breaks: true },
      'The connection was lost before the answer ended.',
    ],
    ['failed in the middle', { pieces: ['Half'], fails: 'The engine crashed.' }, 'The engine crashed.'],
  ] as const)('says what happened when an answer is %s, and tries again', async (_name, script, text) => {
    const server = await startPageServerForTest();
    server.script = () => script;
    const { page } = await openPage(browser, server.url);
    await ask(page, 'Hi');
    await page.getByRole('alert').getByText(text).waitFor();
    if ('pieces' in script) expect(await answers(page).textContent()).toContain('Half');
    server.script = () => ({ pieces: ['All', ' well'] });
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('All well').waitFor();
  });

  it('finds the server again after it was away', async () => {
    const server = await startPageServerForTest();
    const { port } = new URL(server.url);
    const { page } = await openPage(browser, server.url);
    await expect
      .poll(() => page.getByRole('combobox', { name: 'Model' }).inputValue())
      .toBe('scripted-model');
    await server.close();
    await ask(page, 'Hi');
    await page.locator('.banner').getByText('The server cannot be reached.').waitFor();
    await startPageServerForTest({ port: Number(port) });
    await page.locator('.banner').waitFor({ state: 'detached', timeout: 20_000 });
  });

  it('speaks Chinese to who reads it, on a phone of 360 pixels, and keeps the choice of another language', async () => {
    const server = await startPageServerForTest();
    server.script = () => ({
      pieces: [`\`\`\`\n${'wide '.repeat(100)}\n\`\`\`\n\n| ${'列 | '.repeat(20)}\n|${'-|'.repeat(20)}\n`],
    });
    const viewport = { width: 360, height: 640 };
    const { page } = await openPage(browser, server.url, {
      locale: 'zh-CN',
      viewport,
      hasTouch: true,
      isMobile: true,
    });
    expect(await page.locator('html').getAttribute('lang')).toBe('zh-CN');
    const field = page.getByRole('textbox', { name: '消息', exact: true });
    await field.fill('你好');
    await field.press('Enter');
    await answers(page).getByRole('button', { name: '重新回答' }).waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    await page.getByRole('button', { name: '设置' }).tap();
    await page.getByRole('radio', { name: 'English' }).check();
    await page.reload();
    await message(page).waitFor();
    expect(await page.locator('html').getAttribute('lang')).toBe('en');
  });

  it('shows the dashboard live', async () => {
    const server = await startPageServerForTest();
    const { page, errors } = await openPage(browser, `${server.url}/#dashboard`);
    await page.locator('.plot canvas').nth(3).waitFor();
    await expect.poll(() => page.locator('.legend b').allTextContents()).toContain('62 %');
    const time = () => page.locator('.tile', { hasText: 'Requests' }).textContent();
    expect(await time()).toContain('running');
    expect(await page.getByRole('row', { name: /scripted-model Ready/ }).count()).toBe(1);
    expect(errors).toEqual([]);
  });

  it('can be used with the keyboard alone', async () => {
    const server = await startPageServerForTest();
    const { page } = await openPage(browser, server.url);
    await expect.poll(() => page.evaluate("document.activeElement.id === 'composer-text'")).toBe(true);
    const names: string[] = [];
    for (let step = 0; step < 16; step += 1) {
      await page.keyboard.press('Tab');
      const focused = page.locator(':focus');
      if ((await focused.count()) === 0) continue;
      names.push((await focused.getAttribute('aria-label')) ?? (await focused.textContent()) ?? '');
      // Around the message field it is the frame that shows it.
      const isVisible = `getComputedStyle(document.activeElement).outlineStyle !== 'none' || document.activeElement.matches('.composer-box textarea')`;
      expect(await page.evaluate(isVisible), names.at(-1)).toBe(true);
    }
    expect(names).toEqual(
      expect.arrayContaining(['New chat', 'Search conversations', 'Model', 'Dashboard', 'Settings']),
    );
    await page.keyboard.press('Control+k');
    await expect.poll(() => page.locator(':focus').getAttribute('id')).toBe('search');
    await page.keyboard.press('Tab'); // to the models, where keys choose one
    await page.keyboard.press('Tab');
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  });

  it('stays smooth while a long answer comes', async () => {
    const server = await startPageServerForTest();
    const paragraph = 'Some **bold** words and `code` in a paragraph that is long enough to wrap.\n\n';
    server.script = () => ({ pieces: Array.from({ length: 600 }, () => paragraph), pauseMs: 1 });
    const { page } = await openPage(browser, server.url);
    // Blocks are counted as they are drawn: each once when it is whole and a few times while it grows.
    await page.evaluate(
      `window.drawn = 0; const set = Object.getOwnPropertyDescriptor(Element.prototype, 'innerHTML').set;
       Object.defineProperty(Element.prototype, 'innerHTML', { set(html) { if (this.className === 'block') window.drawn += 1; set.call(this, html); } });`,
    );
    await ask(page, 'Write a lot');
    await answered(page);
    expect(await page.locator('.markdown .block').count()).toBe(600);
    expect(await page.evaluate('window.drawn')).toBeLessThan(2000);
    const distance = await page.evaluate(
      `(({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight)(document.querySelector('.scroll-frame'))`,
    );
    expect(distance).toBeLessThan(60);
  });
});

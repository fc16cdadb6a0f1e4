// What people do, in the words of the pages' forms and addresses.

import assert from 'node:assert/strict';

export const PROGRAMME = 'serverless';
export const FORM = 50;

/** One click at the demonstration's door. */
export async function enterAs(page, who) {
  await page.goto('/demo');
  await page.locator(`form[action="/demo/as/${who}"] button`).first().click();
  await page.waitForURL((url) => !url.pathname.startsWith('/demo'));
}

/** The whole way by mail: address, outbox, link, button. */
export async function signInByMail(page, address, next) {
  await page.goto(next ? `/sign-in?next=${encodeURIComponent(next)}` : '/sign-in');
  await page.locator('input[name=address]').fill(address);
  await page.locator('main form:has(input[name=address]) button').first().click();
  await openMailedLink(page, address);
  await page.locator('main form[action^="/sign-in/"] button').click();
  await page.waitForURL((url) => !url.pathname.startsWith('/sign-in'));
}

const opened = new Set();

/** Opens a link that was mailed to that address and not opened yet. A mail takes about a second. */
export async function openMailedLink(page, address) {
  const links = page.locator('main article', { hasText: `To ${address}` }).locator('a[href*="/sign-in/"]');
  for (let left = 40; left > 0; left -= 1) {
    await page.goto('/demo/outbox');
    const all = await links.evaluateAll((found) => found.map((link) => link.getAttribute('href')));
    const fresh = all.findIndex((href) => !opened.has(href));
    if (fresh >= 0) {
      opened.add(all[fresh]);
      await links.nth(fresh).click();
      await page.waitForURL(/\/sign-in\/.+/);
      return;
    }
    await page.waitForTimeout(250);
  }
  assert.fail(`no mail to ${address} within 10 s`);
}

/** Conditions, honesty, name, Begin; ends on question 1. Gives the attempt's address. */
export async function begin(page, name = 'Ada Quill', programme = PROGRAMME) {
  await page.goto(`/programmes/${programme}/assessment`);
  const field = page.locator('input[name=name]');
  if (await field.count()) await field.fill(name);
  await page.locator('input[name=honesty]').check();
  await page.locator('main form:has(input[name=honesty]) button').first().click();
  await page.waitForURL(/\/attempts\/[^/]+\/questions\/1$/);
  return attemptOf(page);
}

export function attemptOf(page) {
  return new URL(page.url()).pathname.match(/^\/attempts\/[^/]+/)[0];
}

export const choices = (page) => page.locator('input[name=choice]');
export const go = (page, value) => page.locator(`button[name=go][value="${value}"]`);

/** The tokens that are chosen on this page. */
export function chosen(page) {
  return page.locator('input[name=choice]:checked').evaluateAll((inputs) => inputs.map((input) => input.value));
}

/** Choose, wait for the server's word, next question. */
export async function answerWithScripts(page, pick = 0) {
  await choices(page).nth(pick).check();
  await saved(page);
}

export async function saved(page) {
  await page.getByText(/Saved \d\d:\d\d/).first().waitFor();
}

/** Question `n` is on the screen. */
export async function atQuestion(page, attempt, n) {
  await page.waitForURL((url) => url.pathname === `${attempt}/questions/${n}`);
}

/** Confirm and hand in; ends on the result. */
export async function submit(page, attempt) {
  await page.goto(`${attempt}/submit`);
  await page.locator('input[name=confirm]').check();
  await page.locator('main form:has(input[name=confirm]) button').first().click();
  await page.waitForURL((url) => url.pathname === `${attempt}/result`);
}

export function text(page) {
  return page.locator('main').innerText();
}

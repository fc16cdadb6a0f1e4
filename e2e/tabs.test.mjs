// Two tabs of one browser at one question: both show what stands, and none saves over the other unasked.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerWithScripts, begin, choices, chosen, go, saved, signInByMail, text } from './support/people.mjs';
import { stage } from './support/stage.mjs';

const here = stage();
const NEWER = /newer answer/i;
const status = (page) => page.locator('#status').innerText();

/** Two tabs at question 1, the second one open before anything is chosen in the first. */
async function twoTabs(address, prepare = async () => {}) {
  const { context, page: first, complaints } = await here.device();
  await signInByMail(first, address);
  const attempt = await begin(first);
  const second = await context.newPage();
  await prepare(second);
  await second.goto(`${attempt}/questions/1`);
  return { context, first, second, attempt, complaints };
}

/** A tab that hears nothing of the others, as one that the browser had put to sleep. */
const deaf = (page) => page.addInitScript(() => addEventListener('storage', (event) => event.stopImmediatePropagation(), true));

/** Waits until these are the chosen ones, and what is said is that they are saved. */
async function shows(page, tokens, words) {
  await page.waitForFunction(
    (wanted) => {
      const now = [...document.querySelectorAll('input[name=choice]:checked')].map((input) => input.value);
      return JSON.stringify(now) === wanted && /^(Saved|Cleared)/.test(document.querySelector('#status').textContent);
    },
    JSON.stringify(tokens),
  );
  assert.deepEqual(await chosen(page), tokens, words);
}

/** What the server has, whatever a page may keep beside it. */
async function stands(context, attempt) {
  const page = await (await context.request.get(`${attempt}/questions/1`)).text();
  return [...page.matchAll(/value="([^"]+)" checked/g)].map(([, token]) => token);
}

test('what is chosen in one tab is shown in the other, saved', async () => {
  const { context, first, second, attempt, complaints } = await twoTabs('two.tabs@example.org');
  await answerWithScripts(first, 0);
  const one = await chosen(first);
  await shows(second, one, 'the older tab follows');

  await choices(second).nth(1).check();
  await saved(second);
  const two = await chosen(second);
  await shows(first, two, 'and the other way round');
  assert.deepEqual(await stands(context, attempt), two);

  await first.locator('#clear').click();
  await shows(second, [], 'cleared as well');
  assert.deepEqual(await stands(context, attempt), []);
  assert.deepEqual(complaints, []);
});

test('an older tab that heard nothing does not save over the newer answer', async () => {
  const { context, first, second, attempt } = await twoTabs('sleeping.tab@example.org', deaf);
  await answerWithScripts(first, 0);
  const one = await chosen(first);
  assert.deepEqual(await chosen(second), [], 'it still shows the question as it was');

  await choices(second).nth(1).check();
  await second.getByText(NEWER).first().waitFor();
  assert.doesNotMatch(await status(second), /^Saved/);
  assert.deepEqual(await stands(context, attempt), one, 'the newer answer stands until a person decides');
  const two = await chosen(second);
  assert.notDeepEqual(two, one);

  await second.locator('button[data-keep=mine]').click();
  await saved(second);
  assert.deepEqual(await stands(context, attempt), two, 'and what was chosen was not lost');
});

test('going on from an older tab that heard nothing asks as well', async () => {
  const { context, first, second, attempt } = await twoTabs('sleeping.tab.goes.on@example.org', deaf);
  await answerWithScripts(first, 0);
  const one = await chosen(first);
  await go(second, 'next').click();
  await second.getByText(NEWER).first().waitFor();
  assert.match(await text(second), NEWER);
  assert.deepEqual(await stands(context, attempt), one);
});

test('two tabs without a network: the last choice of the browser is what both show and what is saved', async () => {
  const { context, first, second, attempt } = await twoTabs('two.tabs.offline@example.org');
  await context.setOffline(true);
  await choices(first).nth(0).check();
  await first.getByText(/kept on this device/i).first().waitFor();
  await choices(second).nth(1).check();
  await second.getByText(/kept on this device/i).first().waitFor();
  const last = await chosen(second);
  for (const page of [first, second]) assert.doesNotMatch(await status(page), /^Saved/);
  assert.deepEqual(await chosen(first), last);

  await context.setOffline(false);
  await shows(second, last, 'in the tab where it was chosen');
  await shows(first, last, 'and in the other');
  assert.deepEqual(await stands(context, attempt), last);
});

test('a conflict with another device that both tabs show is settled in both', async () => {
  const { context, first, second, attempt } = await twoTabs('two.tabs.and.a.phone@example.org');
  const phone = await here.device();
  await signInByMail(phone.page, 'two.tabs.and.a.phone@example.org');
  await phone.page.goto(`${attempt}/questions/1`);
  await answerWithScripts(phone.page, 0);
  const onPhone = await chosen(phone.page);

  await choices(first).nth(1).check();
  for (const page of [first, second]) await page.locator('#conflict', { hasText: NEWER }).waitFor();
  await first.locator('button[data-keep=theirs]').click();
  for (const page of [first, second]) {
    await page.locator('#conflict').waitFor({ state: 'hidden' });
    await shows(page, onPhone, 'what was decided');
  }
  assert.deepEqual(await stands(context, attempt), onPhone);
});

// The whole way with scripts off: forms and links only.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FORM, atQuestion, begin, choices, chosen, enterAs, go, signInByMail, submit, text } from './support/people.mjs';
import { stage } from './support/stage.mjs';

const here = stage();

test('sit and submit without scripts', async (t) => {
  const { page, complaints } = await here.device({ scripts: false });
  let attempt;

  await t.test('sign in', async () => {
    await signInByMail(page, 'plain.forms@example.org');
  });

  await t.test('answer, clear, flag, go back', async () => {
    attempt = await begin(page);
    await choices(page).first().check();
    await go(page, 'next').click();
    await go(page, 'previous').click();
    await atQuestion(page, attempt, 1);
    assert.match(await text(page), /Saved \d\d:\d\d/);
    const first = await chosen(page);
    assert.equal(first.length, 1);

    await go(page, 'clear').click();
    await page.goto(`${attempt}/questions/1`);
    assert.deepEqual(await chosen(page), []);

    await go(page, 'flag').click();
    await page.goto(`${attempt}/questions/1`);
    assert.match(await go(page, 'unflag').innerText(), /flagged.*take the flag away/i);

    await page.goto(`${attempt}/questions/2`);
    await go(page, 'previous').click();
    await atQuestion(page, attempt, 1);
  });

  await t.test('every question by its button', async () => {
    await page.goto(`${attempt}/questions/1`);
    for (let n = 1; n <= FORM; n += 1) {
      await atQuestion(page, attempt, n);
      await choices(page).first().check();
      await go(page, 'next').click();
    }
    await page.waitForURL((url) => url.pathname === `${attempt}/review`);
    assert.doesNotMatch(await text(page), /not answered/i);
  });

  await t.test('report a problem with a question', async () => {
    await page.goto(`${attempt}/questions/3/report`);
    await page.locator('[name=words]').fill('Two of the answers say the same.');
    await page.locator('main form:has([name=words]) button').first().click();
    assert.match(await text(page), /thank/i);
  });

  await t.test('submit', async () => {
    await submit(page, attempt);
    assert.match(await text(page), /\d+ of 50/);
  });

  assert.deepEqual(complaints, []);
});

test('pass and show the badge without scripts', async () => {
  const { page, complaints } = await here.device({ scripts: false });
  await enterAs(page, 'holder');
  await page.goto('/me');
  await page.locator('main a[href^="/me/badges/"]').first().click();
  await page.locator('input[name=visibility][value=link]').check();
  await page.locator('main form:has(input[name=visibility]) button').first().click();
  const badge = await page.locator('main a[href^="/b/"]').first().getAttribute('href');
  await page.goto(badge);
  assert.match(await text(page), /valid/i);
  await page.goto('/verify');
  await page.locator('[name=text]').fill(await (await page.request.get(`${badge.replace(/\.\w+$/, '')}.json`)).text());
  await page.locator('main form:has([name=text]) button').first().click();
  assert.doesNotMatch(await text(page), /not valid|failed/i);
  assert.deepEqual(complaints, []);
});

// A new person: mail, read, sit, fail, be refused, wait, try again.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FORM, PROGRAMME, answerWithScripts, atQuestion, begin, go, signInByMail, submit, text } from './support/people.mjs';
import { stage } from './support/stage.mjs';

const here = stage();

test('from the first page to the second try', async (t) => {
  const { page, complaints } = await here.device();
  let attempt;

  await t.test('the rules can be read without signing in', async () => {
    await page.goto('/');
    await page.locator(`a[href="/programmes/${PROGRAMME}"]`).first().click();
    const words = await text(page);
    for (const expected of [/50 questions/i, /40/, /open book/i, /no time limit/i]) assert.match(words, expected);
    await page.locator(`a[href^="/programmes/${PROGRAMME}/lessons/"]`).first().click();
    assert.ok((await text(page)).length > 1000, 'a lesson teaches something');
  });

  await t.test('sign in by a mailed link', async () => {
    await signInByMail(page, 'new.person@example.org');
    await page.goto('/me');
    assert.match(await page.locator('body').innerText(), /new\.person@example\.org/);
  });

  await t.test('begin, and answer every question', async () => {
    attempt = await begin(page);
    for (let n = 1; n <= FORM; n += 1) {
      assert.match(await page.title(), new RegExp(`Question ${n} of ${FORM}`));
      assert.match(await page.locator('h1').innerText(), new RegExp(`Question ${n} of ${FORM}`));
      await answerWithScripts(page, n % 2);
      if (n < FORM) {
        await go(page, 'next').click();
        await atQuestion(page, attempt, n + 1);
      }
    }
  });

  await t.test('flag one, and find it on the review page', async () => {
    await page.goto(`${attempt}/questions/7`);
    await go(page, 'flag').click();
    await go(page, 'unflag').waitFor();
    assert.match(await go(page, 'unflag').innerText(), /flagged.*take the flag away/i, 'the button says how it stands');
    const [tab] = await Promise.all([page.context().waitForEvent('page'), page.locator('main a[target=_blank]').click()]);
    await tab.waitForURL(`**/programmes/${PROGRAMME}#plan`);
    await tab.close();
    assert.equal(new URL(page.url()).pathname, `${attempt}/questions/7`, 'the question stays while one looks things up');
    await page.goto(`${attempt}/review`);
    const words = await text(page);
    assert.match(words, /flag/i);
    assert.doesNotMatch(words, /not answered/i);
  });

  await t.test('submit: not passed, with the exact time of the next try', async () => {
    await submit(page, attempt);
    const words = await text(page);
    assert.match(words, /\d+ of 50/);
    const [handedIn, next] = await page.locator('main time').evaluateAll((times) => times.map((time) => Date.parse(time.dateTime)));
    assert.equal(next - handedIn, 24 * 60 * 60 * 1000, 'the next try is a day after this one, to the second');
    assert.match(await page.locator('main section', { hasText: 'next try' }).innerText(), /\d{4}.*\d:\d\d/, 'and it is said');
    assert.ok(await page.locator(`main a[href^="/programmes/${PROGRAMME}/lessons/"]`).count(), 'lessons to read again');
    const calendar = await page.request.get(`${attempt}/retake.ics`);
    assert.equal(calendar.status(), 200);
    assert.match(calendar.headers()['content-type'], /^text\/calendar/);
    assert.match(await calendar.text(), /^BEGIN:VCALENDAR\r\n[\s\S]*DTSTART:\d{8}T\d{6}Z\r\n[\s\S]*END:VCALENDAR\r\n$/);
  });

  await t.test('an early start is refused, and says when', async () => {
    await page.goto(`/programmes/${PROGRAMME}/assessment`);
    assert.match(await text(page), /\d:\d\d/);
    const refused = await page.request.post(`/programmes/${PROGRAMME}/assessment`, {
      form: { name: 'Ada Quill', honesty: 'yes' },
      headers: { origin: here.server.url },
      maxRedirects: 0,
    });
    assert.equal(refused.status(), 409);
    assert.match(await refused.text(), /\d\d:\d\d/);
  });

  await t.test('a closed attempt takes no answer', async () => {
    const late = await page.request.post(`${attempt}/questions/1/answer`, {
      data: { chosen: [], base_revision: 1, device: 'late', counter: 1 },
      headers: { origin: here.server.url },
    });
    assert.equal(late.status(), 410);
  });

  await t.test('a day later the next try opens', async () => {
    await page.goto('/demo');
    await page.locator('form[action="/demo/clock"] button').first().click();
    const second = await begin(page);
    assert.notEqual(second, attempt);
  });

  assert.deepEqual(complaints, []);
});

// The network goes, the server is killed: what was called saved is there, what was not is said.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerWithScripts, atQuestion, begin, choices, chosen, go, saved, signInByMail } from './support/people.mjs';
import { stage } from './support/stage.mjs';

const here = stage();
const KEPT = /kept on this device/i;

test('answers chosen without a network are kept and sent when it returns', async () => {
  const { context, page, complaints } = await here.device();
  await signInByMail(page, 'tunnel@example.org');
  const attempt = await begin(page);
  await answerWithScripts(page, 0);

  await context.setOffline(true);
  await choices(page).nth(1).check();
  await page.getByText(KEPT).first().waitFor();
  const wanted = await chosen(page);

  await context.setOffline(false);
  await saved(page);
  await page.reload();
  assert.deepEqual(await chosen(page), wanted);
  assert.equal(new URL(page.url()).pathname, `${attempt}/questions/1`);
  assert.deepEqual(complaints, []);
});

test('a page closed without a network sends its answer when the question is opened again', async () => {
  const { context, page } = await here.device();
  await signInByMail(page, 'closed.lid@example.org');
  const attempt = await begin(page);
  await context.setOffline(true);
  await choices(page).nth(1).check();
  await page.getByText(KEPT).first().waitFor();
  const wanted = await chosen(page);
  await page.close();
  await context.setOffline(false);

  const again = await context.newPage();
  await again.goto(`${attempt}/questions/1`);
  await saved(again);
  await again.reload();
  assert.deepEqual(await chosen(again), wanted);
});

test('the server is killed: nothing that was called saved is gone', async () => {
  const { page } = await here.device();
  await signInByMail(page, 'power.cut@example.org');
  const attempt = await begin(page);
  const answers = [];
  for (let n = 1; n <= 5; n += 1) {
    await answerWithScripts(page, n % 2);
    answers.push(await chosen(page));
    await go(page, 'next').click();
    await atQuestion(page, attempt, n + 1);
  }

  await here.server.kill();
  await choices(page).nth(1).check();
  await page.getByText(KEPT).first().waitFor();
  const waiting = await chosen(page);

  await here.server.start();
  await saved(page);
  for (const [index, expected] of answers.entries()) {
    await page.goto(`${attempt}/questions/${index + 1}`);
    assert.deepEqual(await chosen(page), expected, `question ${index + 1}`);
  }
  await page.goto(`${attempt}/questions/6`);
  assert.deepEqual(await chosen(page), waiting, 'what was chosen while the server was away');
});

/** The first `times` saves of this device are answered as by a server that has too much to do; when they came is written down. */
async function busy(context, times, seconds) {
  const came = [];
  await context.route('**/answer', (route) => {
    came.push(Date.now());
    if (came.length > times) return route.continue();
    return route.fulfill({ status: 503, headers: { 'retry-after': String(seconds), 'content-type': 'application/json' }, body: '{"title":"The server is busy"}' });
  });
  return came;
}

test('a busy server: the answer is kept, and sent again when the server said so', async () => {
  const { context, page } = await here.device();
  await signInByMail(page, 'rush.hour@example.org');
  await begin(page);
  const came = await busy(context, 2, 3);
  await choices(page).nth(1).check();
  await page.getByText(/server is busy.*kept on this device/i).first().waitFor();
  assert.equal(await page.getByText(/Saved \d\d:\d\d/).count(), 0);
  const wanted = await chosen(page);
  await saved(page);
  assert.equal(came.length, 3);
  for (const [n, at] of came.slice(1).entries()) assert.ok(at - came[n] >= 2900, `try ${n + 2} came ${at - came[n]} ms after the one before, not 3 s`);
  await context.unroute('**/answer');
  await page.reload();
  assert.deepEqual(await chosen(page), wanted);
});

test('a busy server: an answer that is still here is sent from the review page too', async () => {
  const { context, page } = await here.device();
  await signInByMail(page, 'rush.review@example.org');
  const attempt = await begin(page);
  await busy(context, 3, 1);
  await choices(page).nth(1).check();
  await page.getByText(KEPT).first().waitFor();
  const wanted = await chosen(page);
  page.on('dialog', (dialog) => dialog.accept());
  await page.goto(`${attempt}/review`);
  await page.getByText(/kept on this device: question 1/i).first().waitFor();
  // When all is sent, the review page loads itself again, which would cut off whoever leaves it at that moment.
  await page.waitForEvent('load', { timeout: 60_000 });
  assert.ok(!(await page.evaluate(() => Object.keys(localStorage).some((key) => /^assay:[^:]+:\d+$/.test(key)))), 'all is sent');
  await page.goto(`${attempt}/questions/1`);
  assert.deepEqual(await chosen(page), wanted);
});

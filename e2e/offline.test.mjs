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

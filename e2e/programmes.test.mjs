// Each sample programme, sat to its badge by somebody who knows: read a lesson, sign in, answer everything, pass, show it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readKeys, rightTokens } from './support/keys.mjs';
import { atQuestion, begin, choices, go, saved, signInByMail, submit, text } from './support/people.mjs';
import { stage } from './support/stage.mjs';

const here = stage();
const PATIENCE_MS = 15_000;
const PROGRAMMES = [
  { id: 'serverless', form: 50, mark: 40, badge: 'Serverless Foundations' },
  { id: 'git-for-teams', form: 20, mark: 16, badge: 'Version Control for Teams' },
];

for (const programme of PROGRAMMES) {
  test(`${programme.id}: from the plan to the badge`, async (t) => {
    const { page, complaints } = await here.device();
    const keys = readKeys(programme.id);
    let attempt;

    await t.test('the plan leads to lessons', async () => {
      await page.goto(`/programmes/${programme.id}`);
      assert.match(await text(page), new RegExp(`${programme.form} questions`, 'i'));
      await page.locator(`main a[href^="/programmes/${programme.id}/lessons/"]`).first().click();
      assert.match(await text(page), /minutes? to read\. Facts last checked on \d{4}-\d\d-\d\d/);
    });

    await t.test('every question, answered by its key', async () => {
      await signInByMail(page, `${programme.id}@example.org`);
      attempt = await begin(page, 'Ada Quill', programme.id);
      for (let n = 1; n <= programme.form; n += 1) {
        assert.match(await page.title(), new RegExp(`Question ${n} of ${programme.form}`));
        for (const token of await rightTokens(page, keys)) await page.locator(`input[name=choice][value="${token}"]`).check();
        await saved(page);
        if (n < programme.form) {
          await go(page, 'next').click();
          await atQuestion(page, attempt, n + 1);
        }
      }
      assert.ok(await choices(page).count());
    });

    await t.test('handed in: passed, with every answer right', async () => {
      await page.goto(`${attempt}/review`);
      assert.doesNotMatch(await text(page), /not answered/i);
      await submit(page, attempt);
      const words = await text(page);
      assert.match(words, /passed/i);
      assert.match(words, new RegExp(`${programme.form} of ${programme.form}`));
    });

    await t.test('the badge comes, and its page says what it is worth', async () => {
      const started = Date.now();
      let badge;
      while (!badge) {
        assert.ok(Date.now() - started < PATIENCE_MS, 'no badge in time');
        await page.goto('/me');
        const own = page.locator('main a[href^="/me/badges/"]').first();
        if (await own.count()) {
          await own.click();
          const link = page.locator('main a[href^="/b/"]').first();
          if (await link.count()) badge = (await link.getAttribute('href')).replace(/\.\w+$/, '');
        }
        if (!badge) await page.waitForTimeout(250);
      }
      await page.goto(badge);
      const words = await text(page);
      assert.ok(words.includes(programme.badge), words);
      assert.match(words, /valid/i);
      assert.match(words, new RegExp(`${programme.mark} of ${programme.form}`));
      const document = await page.request.get(`${badge}.json`);
      assert.equal(document.status(), 200);
      assert.ok((await document.json()).proof, 'signed');
    });

    assert.deepEqual(complaints, []);
  });
}

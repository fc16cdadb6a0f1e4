// The last answer, the pass, the badge; then everybody else's look at it.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { everyWay } from './support/axe.mjs';
import { answerWithScripts, chosen, enterAs, submit, text } from './support/people.mjs';
import { PROGRAM } from './support/server.mjs';
import { stage } from './support/stage.mjs';

const here = stage();
const PATIENCE_MS = 15_000;

test('from the last question to a verified badge', async (t) => {
  const holder = await here.device();
  const stranger = await here.device();
  const { page } = holder;
  const files = {};
  let badge;

  await t.test('answer what is left, submit, pass', async () => {
    await enterAs(page, 'almost');
    await page.goto('/me');
    await page.locator('a[href^="/attempts/"]').first().click();
    await page.waitForURL(/\/attempts\/[^/]+\//);
    const attempt = new URL(page.url()).pathname.match(/^\/attempts\/[^/]+/)[0];
    await page.goto(`${attempt}/review`);
    await openUnanswered(page, attempt);
    await answerWithScripts(page);
    await submit(page, attempt);
    assert.match(await text(page), /passed/i);
  });

  await t.test('the badge is there within seconds', async () => {
    const started = Date.now();
    for (;;) {
      await page.goto('/me');
      const link = page.locator('main a[href^="/me/badges/"]').first();
      if (await link.count()) {
        await link.click();
        const open = page.locator('main a[href^="/b/"]').first();
        if (await open.count()) {
          badge = (await open.getAttribute('href')).replace(/\.\w+$/, '');
          break;
        }
      }
      assert.ok(Date.now() - started < PATIENCE_MS, 'no badge in time');
      await page.waitForTimeout(250);
    }
    t.diagnostic(`badge after ${((Date.now() - started) / 1000).toFixed(1)} s`);
  });

  await t.test('only the holder sees it until the holder shows it', async () => {
    await setVisibility(page, 'only_me');
    const hidden = await stranger.page.goto(badge);
    assert.equal(hidden.status(), 404);
    await page.goBack();
    await page.goto('/me');
    await page.locator('main a[href^="/me/badges/"]').first().click();
    await setVisibility(page, 'link');
  });

  await t.test('the public page says what it is worth', async () => {
    const answer = await stranger.page.goto(badge);
    assert.equal(answer.status(), 200);
    const words = await text(stranger.page);
    for (const expected of [/valid/i, /40 of 50/, /open book/i, /not supervised/i, /AI tools/i, /self-stated|as typed/i, /practice|demonstration/i]) assert.match(words, expected);
    assert.doesNotMatch(words, /your score/i);
  });

  await t.test('three files to keep, and the same document by content type', async () => {
    for (const [kind, type] of [['json', /json/], ['png', /^image\/png/], ['svg', /^image\/svg\+xml/]]) {
      const answer = await stranger.page.request.get(`${badge}.${kind}`);
      assert.equal(answer.status(), 200, kind);
      assert.match(answer.headers()['content-type'], type);
      files[kind] = await answer.body();
    }
    const document = JSON.parse(files.json);
    assert.ok(document.proof && document.credentialStatus, 'signed, with a status entry');
    const negotiated = await stranger.page.request.get(badge, { headers: { accept: 'application/vc' } });
    assert.deepEqual(JSON.parse(await negotiated.body()), document);
  });

  await t.test('each file verifies', async () => {
    for (const kind of ['json', 'png', 'svg']) {
      const words = await verify(stranger.page, `badge.${kind}`, files[kind]);
      assert.match(words, /\bvalid\b/i, kind);
      assert.doesNotMatch(words, /not valid|failed/i, kind);
    }
    await stranger.page.goto('/verify');
    await stranger.page.locator('[name=link]').fill(`${here.server.url}${badge}`);
    await stranger.page.locator('main form:has([name=link]) button').first().click();
    assert.doesNotMatch(await text(stranger.page), /not valid|failed/i);
  });

  await t.test('one byte changed: not valid, and the check that failed is named', async () => {
    const document = JSON.parse(files.json);
    const name = JSON.stringify(document.credentialSubject.achievement.name);
    const at = files.json.indexOf(name);
    assert.ok(at > 0, 'the badge has a name in it');
    const changed = Buffer.from(files.json);
    changed[at + 1] ^= 1;
    const words = await verify(stranger.page, 'changed.json', changed);
    assert.match(words, /not valid/i);
    assert.match(words, /(signature|proof)[\s\S]{0,200}failed|failed[\s\S]{0,200}(signature|proof)/i);

    const picture = Buffer.from(files.svg);
    const inside = picture.indexOf('credentialSubject');
    assert.ok(inside > 0);
    picture[inside] ^= 1;
    assert.doesNotMatch(await verify(stranger.page, 'changed.svg', picture), /^\s*valid/im);

    const raster = Buffer.from(files.png);
    const chunk = raster.indexOf('credentialSubject');
    assert.ok(chunk > 0, 'the document lies readable in the PNG');
    raster[chunk] ^= 1;
    assert.doesNotMatch(await verify(stranger.page, 'changed.png', raster), /^\s*valid/im);
  });

  await t.test('a link or an id pasted where the document belongs is taken for what it is', async () => {
    for (const pasted of [`${here.server.url}${badge}`, badge.split('/').pop()]) {
      await stranger.page.goto('/verify');
      await stranger.page.locator('[name=text]').fill(pasted);
      await stranger.page.locator('main form:has([name=text]) button').first().click();
      const words = await text(stranger.page);
      assert.match(words, /\bvalid\b/i, pasted);
      assert.doesNotMatch(words, /not valid|failed/i, pasted);
    }
  });

  await t.test('several at once, and something that is no badge', async () => {
    await stranger.page.goto('/verify');
    await stranger.page.locator('input[type=file]').setInputFiles([
      { name: 'badge.json', mimeType: 'application/json', buffer: files.json },
      { name: 'letter.txt', mimeType: 'text/plain', buffer: Buffer.from('Dear sirs') },
    ]);
    await stranger.page.locator('main form:has(input[type=file]) button').first().click();
    const words = await text(stranger.page);
    assert.match(words, /badge\.json/);
    assert.match(words, /letter\.txt/);
  });

  await t.test('a name is corrected by a form of its own, and who may see the badge stays', async () => {
    await page.goto(`/me${badge.replace('/b/', '/badges/')}`);
    assert.match(await text(page), /every copy of the old one becomes invalid/i);
    await page.locator('input[name=name]').fill('Alma B. Quill');
    await page.locator('main form:has(input[name=name]) button').click();
    await page.getByText('The name is corrected.').waitFor();
    assert.ok(await page.locator('input[name=visibility][value=link]').isChecked());
    assert.equal(await page.locator('input[name=name]').count(), 0, 'only once');
    await page.locator('main a[href$=".json"]').first().waitFor();
    assert.match(await (await stranger.page.request.get(`${badge}.json`)).text(), /Alma B\. Quill/);
  });

  await t.test('taken back: the holder is told why, by mail and on the own page; nobody else is', async () => {
    const id = badge.split('/').pop();
    const revoke = spawnSync(PROGRAM, ['revoke', id, '--reason', 'Two accounts of one person', '--data', here.server.data], { encoding: 'utf8' });
    assert.equal(revoke.status, 0, revoke.stderr);
    const mail = stranger.page.locator('main article', { hasText: 'Your badge was taken back' });
    for (let left = 40; left > 0 && !(await mail.count()); left -= 1) {
      await stranger.page.waitForTimeout(250);
      await stranger.page.goto('/demo/outbox');
    }
    assert.equal(await mail.count(), 1);
    assert.match(await mail.innerText(), /Two accounts of one person/);
    await page.goto(`/me/badges/${id}`);
    assert.match(await text(page), /took this badge back on[\s\S]*Two accounts of one person/);
    assert.deepEqual(await everyWay(page), []);
    await stranger.page.goto(badge);
    const words = await text(stranger.page);
    assert.match(words, /revoked/i);
    assert.doesNotMatch(words, /two accounts/i);
  });

  assert.deepEqual([...holder.complaints, ...stranger.complaints], []);
});

async function openUnanswered(page, attempt) {
  const open = page.locator('main li', { hasText: 'Not answered' });
  assert.equal(await open.count(), 1, 'one question is not answered');
  await open.locator(`a[href^="${attempt}/questions/"]`).click();
  await page.waitForURL(/\/questions\/\d+$/);
  assert.deepEqual(await chosen(page), []);
}

async function setVisibility(page, value) {
  await page.locator(`input[name=visibility][value=${value}]`).check();
  await page.locator('main form:has(input[name=visibility]) button').first().click();
  await page.waitForLoadState();
}

async function verify(page, name, buffer) {
  await page.goto('/verify');
  await page.locator('input[type=file]').setInputFiles({ name, mimeType: 'application/octet-stream', buffer });
  await page.locator('main form:has(input[type=file]) button').first().click();
  await page.waitForLoadState();
  return text(page);
}

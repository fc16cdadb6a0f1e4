// Every page in every state, once: the accessibility test and the pictures walk the same way. A new page gets its line here.

import { FORM, begin, choices, enterAs, go, openMailedLink, PROGRAMME, saved, signInByMail, submit } from './people.mjs';

/**
 * Calls `visit(name, page)` at each state, with a page that stands still. `person` makes a new device.
 */
export async function walk(person, url, visit) {
  await strangers(await person(), visit);
  await mailed(await person(), visit);
  await learner(await person(), visit);
  await conflict(person, visit);
  await offline(await person(), visit);
  await waiting(await person(), visit);
  await holder(await person(), await person(), url, visit);
  await almost(await person(), visit);
}

async function at(page, address, name, visit) {
  await page.goto(address);
  await visit(name, page);
}

async function strangers({ page }, visit) {
  await at(page, '/', 'home', visit);
  await at(page, '/demo', 'demo', visit);
  await at(page, '/demo/outbox', 'outbox-empty', visit);
  await at(page, `/programmes/${PROGRAMME}`, 'programme', visit);
  await at(page, `/programmes/${PROGRAMME}/standard`, 'standard', visit);
  await page.goto(`/programmes/${PROGRAMME}`);
  await page.locator(`main a[href^="/programmes/${PROGRAMME}/lessons/"]`).first().click();
  await visit('lesson', page);
  for (const box of await page.locator('main details > summary').all()) await box.click();
  await visit('lesson-open', page);
  await at(page, `/programmes/${PROGRAMME}/lessons/limits-concurrency-and-cold-starts`, 'lesson-diagram', visit);
  await at(page, `/programmes/${PROGRAMME}/glossary`, 'glossary', visit);
  await at(page, '/sign-in', 'sign-in', visit);
  await at(page, '/verify', 'verify', visit);
  await page.locator('[name=text]').fill('{"type":["VerifiableCredential"]}');
  await page.locator('main form:has([name=text]) button').first().click();
  await visit('verify-not-valid', page);
  await page.goto('/verify');
  await page.locator('input[type=file]').setInputFiles({ name: 'letter.txt', mimeType: 'text/plain', buffer: Buffer.from('Dear sirs') });
  await page.locator('main form:has(input[type=file]) button').first().click();
  await visit('verify-unreadable', page);
  await at(page, '/no-such-page', 'not-found', visit);
  await at(page, '/b/00000000-0000-4000-8000-000000000000', 'badge-not-found', visit);
  await at(page, '/sign-in/0000000000000000', 'sign-in-stale-link', visit);
  await at(page, '/me', 'me-signed-out', visit);
}

async function mailed({ page }, visit) {
  await page.goto('/sign-in');
  await page.locator('input[name=address]').fill('walker@example.org');
  await page.locator('main form:has(input[name=address]) button').first().click();
  await visit('sign-in-sent', page);
  await openMailedLink(page, 'walker@example.org');
  await visit('sign-in-link', page);
  await at(page, '/demo/outbox', 'outbox', visit);
}

async function learner({ page }, visit) {
  await signInByMail(page, 'learner@example.org');
  await at(page, '/me', 'me-fresh', visit);
  await at(page, '/me/data', 'own-data', visit);
  await at(page, '/me/page', 'own-page-form', visit);
  await page.goto(`/programmes/${PROGRAMME}`);
  await page.locator(`main a[href^="/programmes/${PROGRAMME}/lessons/"]`).first().click();
  await visit('lesson-signed-in', page);
  await at(page, `/programmes/${PROGRAMME}/assessment`, 'assessment', visit);
  const attempt = await begin(page);
  await visit('question', page);
  await choices(page).first().check();
  await saved(page);
  await visit('question-saved', page);
  await go(page, 'flag').click();
  await go(page, 'unflag').waitFor();
  await visit('question-flagged', page);
  await chooseTooFew(page, attempt);
  await visit('question-incomplete', page);
  await at(page, `${attempt}/questions/50`, 'question-last', visit);
  await at(page, `${attempt}/questions/51`, 'question-not-found', visit);
  await at(page, `${attempt}/questions/2/report`, 'report', visit);
  await page.locator('[name=words]').fill('Two of the answers say the same.');
  await page.locator('main form:has([name=words]) button').first().click();
  await visit('report-sent', page);
  await at(page, `${attempt}/review`, 'review', visit);
  await at(page, `${attempt}/submit`, 'submit', visit);
  await at(page, '/me', 'me-attempt-open', visit);
  await at(page, `/programmes/${PROGRAMME}/assessment`, 'assessment-attempt-open', visit);
  await submit(page, attempt);
  await visit('result-failed', page);
  await at(page, `${attempt}/questions/1`, 'question-closed', visit);
}

/** One option of the first question that asks for more. */
async function chooseTooFew(page, attempt) {
  for (let n = 2; n <= FORM; n += 1) {
    await page.goto(`${attempt}/questions/${n}`);
    if (await page.locator('input[type=checkbox][name=choice]').count()) {
      await choices(page).first().check();
      await saved(page);
      return;
    }
  }
  throw new Error('no question of this form asks for more than one option');
}

async function conflict(person, visit) {
  const desk = await person();
  const phone = await person();
  await signInByMail(desk.page, 'walker.two@example.org');
  await signInByMail(phone.page, 'walker.two@example.org');
  const attempt = await begin(desk.page);
  await phone.page.goto(`${attempt}/questions/1`);
  await choices(desk.page).nth(0).check();
  await saved(desk.page);
  await choices(phone.page).nth(1).check();
  await phone.page.getByText(/newer answer/i).first().waitFor();
  await visit('question-newer-answer', phone.page);
  const plain = await person({ scripts: 'blocked' });
  await signInByMail(plain.page, 'walker.two@example.org');
  await plain.page.goto(`${attempt}/questions/1`);
  await choices(desk.page).nth(2).check();
  await saved(desk.page);
  await choices(plain.page).nth(1).check();
  await go(plain.page, 'next').click();
  await plain.page.getByText(/newer answer/i).first().waitFor();
  await visit('question-newer-answer-plain', plain.page);
}

async function offline({ context, page }, visit) {
  await signInByMail(page, 'walker.offline@example.org');
  await begin(page);
  await context.setOffline(true);
  await choices(page).first().check();
  await page.getByText(/kept on this device/i).first().waitFor();
  await visit('question-offline', page);
  await context.setOffline(false);
  await saved(page);
}

async function waiting({ page }, visit) {
  await enterAs(page, 'waiting');
  await at(page, '/me', 'me-waiting', visit);
  await at(page, `/programmes/${PROGRAMME}/assessment`, 'assessment-too-early', visit);
}

async function almost({ page }, visit) {
  await enterAs(page, 'almost');
  await at(page, '/me', 'me-almost', visit);
  await page.locator('main a[href^="/attempts/"]').first().click();
  await page.waitForURL(/\/attempts\/[^/]+\//);
  const attempt = new URL(page.url()).pathname.match(/^\/attempts\/[^/]+/)[0];
  await at(page, `${attempt}/review`, 'review-almost', visit);
  await submit(page, attempt);
  await visit('result-passed', page);
}

async function holder({ page }, stranger, url, visit) {
  await enterAs(page, 'holder');
  await at(page, '/me', 'me-badge', visit);
  await page.locator('main a[href^="/me/badges/"]').first().click();
  await page.waitForURL(/\/me\/badges\//);
  await visit('own-badge', page);
  await page.locator('input[name=visibility][value=listed]').check();
  await page.locator('main form:has(input[name=visibility]) button').first().click();
  await visit('own-badge-saved', page);
  await page.locator('main form[action$="/name"] button').click();
  await visit('own-badge-same-name', page);
  const badge = (await page.locator('main a[href^="/b/"]').first().getAttribute('href')).replace(/\.\w+$/, '');
  await at(page, `/programmes/${PROGRAMME}/assessment`, 'assessment-passed-already', visit);
  await page.goto('/me/page');
  await page.locator('[name=handle]').fill('ada-quill');
  await page.locator('main form:has([name=handle]) button').first().click();
  await visit('own-page-saved', page);
  await at(stranger.page, '/p/ada-quill', 'person', visit);
  await at(stranger.page, badge, 'badge', visit);
  await stranger.page.goto('/verify');
  await stranger.page.locator('[name=link]').fill(`${url}${badge}`);
  await stranger.page.locator('main form:has([name=link]) button').first().click();
  await visit('verify-valid', stranger.page);
  await at(page, '/me/data', 'own-data-holder', visit);
  await page.locator('[name=confirm]').fill('ERASE');
  await page.locator('main form:has([name=confirm]) button').first().click();
  await visit('erased', page);
  await at(stranger.page, badge, 'badge-withdrawn', visit);
}

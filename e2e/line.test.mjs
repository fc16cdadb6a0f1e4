// A real browser over a line that fails: cut, half open, requests that come twice or late. What was chosen is neither lost nor saved
// twice, and within three seconds the page says what is true.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { device } from './support/browser.mjs';
import { Line } from './support/line.mjs';
import { answerWithScripts, begin, choices, chosen, saved, signInByMail } from './support/people.mjs';
import { stage } from './support/stage.mjs';

const here = stage();
const NEWER = /newer answer/i;
/** Within this time the page must have said it. */
const TRUTH_MS = 3000;
/** A save is given up after 10 s, and a mute connection may be followed by another. */
const BACK_MS = 60_000;
const lines = [];
let line;

after(() => Promise.all(lines.map((one) => one.stop())));

async function another() {
  const one = await new Line(here.server.url).start();
  lines.push(one);
  return one;
}

/** A device over that line, at question 1. */
async function sitting(address) {
  line ??= await another();
  line.mend();
  const it = await device(here.browser, line.url);
  await signInByMail(it.page, address);
  return { ...it, attempt: await begin(it.page) };
}

/**
 * Every status of a page with its time, from now on; so that a word that was only there for a moment is not missed. Also how long the
 * machine let the page's timers wait, which is not the page's fault.
 */
async function listen(page) {
  await page.evaluate(() => {
    window.heard = [];
    window.waited = 0;
    let last = performance.now();
    setInterval(() => {
      const now = performance.now();
      window.waited += Math.max(0, now - last - 150);
      last = now;
    }, 100);
    const status = document.querySelector('#status');
    new MutationObserver(() => window.heard.push({ at: performance.now(), words: status.textContent })).observe(status, { childList: true, characterData: true, subtree: true });
  });
}

const heard = (page) => page.evaluate(() => window.heard);

/** Chooses, and holds the page to saying within three seconds that this is not saved; not "Saved" meanwhile, not even for a moment. */
async function choosesInVain(page, nth) {
  await listen(page);
  const began = await page.evaluate(() => performance.now());
  await choices(page).nth(nth).check();
  await untruth(page, began);
}

async function untruth(page, began) {
  await page.waitForFunction(() => /not saved/i.test(document.querySelector('#status').textContent), undefined, { timeout: BACK_MS });
  const words = await heard(page);
  const told = words.find((one) => /not saved/i.test(one.words));
  const took = told.at - began;
  assert.ok(took <= TRUTH_MS + (await page.evaluate(() => window.waited)), `said after ${took} ms: ${JSON.stringify(words)}`);
  assert.match(told.words, /kept on this device/i);
  assert.deepEqual(words.filter((one) => /^(Saved|Cleared)/.test(one.words)), [], 'called saved while nothing came through');
  console.log(`    said after ${Math.round(took)} ms: ${told.words}`);
}

/** What is kept of question 1, and how many saves were taken, by the person's export; asked past the line. */
async function kept(context, attempt) {
  const id = attempt.split('/').pop();
  const all = await (await context.request.get(`${here.server.url}/me/data/export`)).json();
  const of = (name) => all[name].filter((one) => one.attempt === id && one.question === 1);
  const page = await (await context.request.get(`${here.server.url}${attempt}/questions/1`)).text();
  const stands = [...page.matchAll(/value="([^"]+)" checked/g)].map(([, token]) => token);
  assert.equal(of('answers')[0].chosen.length, stands.length);
  return { stands, saves: of('saves').length };
}

/** Saved by the page's word, and by what is kept: this answer, after so many saves. */
async function settled({ page, context, attempt }, saves) {
  await page.waitForFunction(() => /^Saved/.test(document.querySelector('#status').textContent), undefined, { timeout: BACK_MS });
  assert.deepEqual(await kept(context, attempt), { stands: await chosen(page), saves });
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

test('a line that is cut for 10 s', async () => {
  const one = await sitting('cut@example.org');
  await answerWithScripts(one.page, 0);
  line.cut();
  const until = pause(10_000);
  await choosesInVain(one.page, 1);
  await until;
  assert.equal((await kept(one.context, one.attempt)).saves, 1, 'nothing came through');
  line.mend();
  const mended = Date.now();
  await settled(one, 2);
  console.log(`    saved ${Date.now() - mended} ms after the line was good again`);
  assert.deepEqual(one.complaints.filter((words) => !/ERR_/.test(words)), []);
});

test('a line that is half open for 10 s', async () => {
  const one = await sitting('half.open@example.org');
  await answerWithScripts(one.page, 0);
  line.swallow();
  const until = pause(10_000);
  await choosesInVain(one.page, 1);
  // Chosen anew while the first is under way: only the last counts, and the page says the same of it.
  await choosesInVain(one.page, 2);
  await until;
  assert.equal((await kept(one.context, one.attempt)).saves, 1, 'nothing came through');
  assert.deepEqual((await heard(one.page)).filter((said) => /^Saved/.test(said.words)), []);
  line.mend();
  const mended = Date.now();
  await settled(one, 2);
  console.log(`    saved ${Date.now() - mended} ms after the line was good again`);
  assert.deepEqual(one.complaints.filter((words) => !/ERR_/.test(words)), []);
});

test('a half-open line on the page of all questions, and handing in', async () => {
  const one = await sitting('half.review@example.org');
  line.cut();
  await choosesInVain(one.page, 1);
  const wanted = await chosen(one.page);
  line.mend();
  // The page itself comes; the saves of it do not.
  await one.context.route('**/answer', async (route) => {
    line.swallow();
    await route.continue();
  });
  one.page.on('dialog', (dialog) => dialog.accept());
  await one.page.goto(`${one.attempt}/submit`);
  await listen(one.page);
  const began = await one.page.evaluate(() => performance.now());
  await one.page.locator('input[name=confirm]').check();
  await one.page.locator('main form:has(input[name=confirm]) button').first().click();
  await untruth(one.page, began);
  assert.equal(new URL(one.page.url()).pathname, `${one.attempt}/submit`, 'not handed in without the answer');
  await one.context.unroute('**/answer');
  line.mend();
  await one.page.waitForFunction(() => !Object.keys(localStorage).some((key) => /^assay:[^:]+:\d+$/.test(key)), undefined, { timeout: BACK_MS });
  assert.deepEqual(await kept(one.context, one.attempt), { stands: wanted, saves: 1 });
});

test('saves that come twice', async () => {
  const one = await sitting('twice@example.org');
  line.alone.length = 0;
  line.repeat(3, 400);
  for (const nth of [0, 1, 2]) {
    await choices(one.page).nth(nth).check();
    await saved(one.page);
  }
  await pause(1500);
  // Taken as a repeat, or refused where a later choice stands by then.
  assert.deepEqual(line.alone.map((status) => status === 200 || status === 409), [true, true, true], 'they came twice');
  await settled(one, 3);
});

test('a save whose answer nobody hears', async () => {
  const one = await sitting('deaf@example.org');
  line.deafen();
  await choices(one.page).nth(1).check();
  await settled(one, 1);
});

test('a save that arrives after the next one', async () => {
  const one = await sitting('late@example.org');
  line.alone.length = 0;
  line.hold(14_000);
  await listen(one.page);
  const began = await one.page.evaluate(() => performance.now());
  await choices(one.page).nth(0).check();
  await untruth(one.page, began);
  await choices(one.page).nth(1).check();
  await settled(one, 1);
  for (let left = 80; left > 0 && !line.alone.length; left -= 1) await pause(250);
  assert.deepEqual(line.alone, [409], 'the late one came, and was refused');
  await settled(one, 1);
});

test('an answer that was kept and is opened again over a half-open line', async () => {
  const one = await sitting('kept.half.open@example.org');
  await answerWithScripts(one.page, 0);
  line.cut();
  await choosesInVain(one.page, 1);
  const wanted = await chosen(one.page);
  line.mend();
  await one.context.route('**/answer', async (route) => {
    line.swallow();
    await route.continue();
  });
  one.page.on('dialog', (dialog) => dialog.accept());
  await one.page.goto(`${one.attempt}/questions/1`);
  await listen(one.page);
  assert.deepEqual(await chosen(one.page), wanted);
  // What the server's page said of the older answer is not left beside this one.
  await untruth(one.page, 0);
  await one.context.unroute('**/answer');
  line.mend();
  await settled(one, 2);
});

test('two tabs over a half-open line', async () => {
  const one = await sitting('two.tabs.half.open@example.org');
  const second = await one.context.newPage();
  await second.goto(`${one.attempt}/questions/1`);
  line.swallow();
  await listen(second);
  await choosesInVain(one.page, 1);
  const [first] = await heard(second);
  assert.match(first.words, /Changed just now in another tab/);
  await untruth(second, first.at);
  assert.deepEqual(await chosen(second), await chosen(one.page));
  line.mend();
  await settled(one, 1);
  await settled({ ...one, page: second }, 1);
});

test('two devices, one of them cut off', async () => {
  const desk = await sitting('two.devices.cut@example.org');
  const other = await another();
  const phone = await device(here.browser, other.url);
  await signInByMail(phone.page, 'two.devices.cut@example.org');
  await phone.page.goto(`${desk.attempt}/questions/1`);
  line.cut();
  await choosesInVain(desk.page, 1);
  await answerWithScripts(phone.page, 0);
  const onPhone = await chosen(phone.page);
  line.mend();
  await desk.page.getByText(NEWER).first().waitFor({ timeout: BACK_MS });
  assert.deepEqual((await heard(desk.page)).filter((said) => /^Saved/.test(said.words)), []);
  assert.deepEqual(await kept(desk.context, desk.attempt), { stands: onPhone, saves: 1 }, 'the newer answer stands until a person decides');
  // The decision is made over a line that repeats it.
  line.repeat(1, 300);
  await desk.page.locator('button[data-keep=mine]').click();
  await settled(desk, 2);
  await pause(1000);
  await settled(desk, 2);
});

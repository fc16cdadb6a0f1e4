// A cold question page: at most 4 requests and 40 KB over the wire, favicon included.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PROGRAMME, begin, enterAs, signInByMail } from './support/people.mjs';
import { stage } from './support/stage.mjs';

const here = stage();
const MOST_REQUESTS = 4;
const MOST_BYTES = 40 * 1024;

test('a cold question page is light', async (t) => {
  const { page } = await here.device();
  await signInByMail(page, 'slow.line@example.org');
  const attempt = await begin(page);
  const cost = await weigh(page, `${attempt}/questions/2`);
  report(t, 'question', cost);
  assert.ok(cost.length <= MOST_REQUESTS, `${cost.length} requests`);
  assert.ok(total(cost) <= MOST_BYTES, `${total(cost)} bytes`);
});

test('what the other pages weigh', async (t) => {
  const { page } = await here.device();
  for (const address of ['/', `/programmes/${PROGRAMME}`, '/verify']) report(t, address, await weigh(page, address));
  await enterAs(page, 'holder');
  await page.goto('/me');
  await page.locator('main a[href^="/me/badges/"]').first().click();
  const badge = (await page.locator('main a[href^="/b/"]').first().getAttribute('href')).replace(/\.\w+$/, '');
  report(t, 'badge page', await weigh(page, badge));
});

function report(t, name, cost) {
  const parts = cost.map(({ path, bytes }) => `${path.replace(/[0-9a-f-]{12,}/g, '…')} ${bytes}`).join(', ');
  t.diagnostic(`${name}: ${cost.length} requests, ${(total(cost) / 1024).toFixed(1)} KB (${parts})`);
}

function total(cost) {
  return cost.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Every response with its bytes on the wire (head and compressed body), as the browser counts them, from an empty cache. */
async function weigh(page, address) {
  const session = await page.context().newCDPSession(page);
  const found = new Map();
  session.on('Network.requestWillBeSent', ({ requestId, request }) => found.set(requestId, { path: new URL(request.url).pathname, bytes: 0 }));
  session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    const entry = found.get(requestId);
    if (entry) entry.bytes = encodedDataLength;
  });
  await session.send('Network.enable');
  await session.send('Network.clearBrowserCache');
  await page.goto(address, { waitUntil: 'networkidle' });
  // Whether a headless browser asks for the icon varies; a person's always does, so it is weighed apart.
  const icon = await page.evaluate(() => document.querySelector('link[rel~=icon]')?.getAttribute('href') ?? '/favicon.ico');
  await session.detach();
  const path = new URL(icon, page.url()).pathname;
  const cost = [...found.values()].filter((entry) => entry.path !== path);
  const answer = await page.request.get(icon);
  const head = answer.headersArray().reduce((sum, { name, value }) => sum + name.length + value.length + 4, 17);
  cost.push({ path, bytes: head + Number(answer.headers()['content-length'] ?? (await answer.body()).length) });
  return cost;
}

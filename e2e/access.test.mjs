// WCAG 2.2 AA, as far as a machine can tell, on every page in every state, light and dark, wide and at 320 px.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { everyWay } from './support/axe.mjs';
import { begin, signInByMail } from './support/people.mjs';
import { stage } from './support/stage.mjs';
import { walk } from './support/walk.mjs';

const here = stage();
/** Of 640: what header and banner may take on a small screen. */
const MOST_ABOVE_PX = 120;

test('at 320 px the question begins soon', async (t) => {
  const { page } = await here.device({ narrow: true });
  await signInByMail(page, 'small.screen@example.org');
  await begin(page);
  const top = await page.locator('main').evaluate((main) => main.getBoundingClientRect().top + scrollY);
  t.diagnostic(`header and banner take ${top} px`);
  assert.ok(top <= MOST_ABOVE_PX, `${top} px stand above the page's own content`);
});

test('axe finds nothing, and nothing scrolls sideways at 320 px', async (t) => {
  const found = [];
  const complaints = [];
  let states = 0;
  const person = async (options) => {
    const device = await here.device(options);
    complaints.push(device.complaints);
    return device;
  };
  await walk(person, here.server.url, async (name, page) => {
    states += 1;
    for (const words of await everyWay(page)) found.push(`${name}: ${words}`);
  });
  t.diagnostic(`${states} states, each in 4 ways`);
  assert.deepEqual(found, []);
  assert.deepEqual(complaints.flat(), []);
});

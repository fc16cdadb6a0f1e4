// WCAG 2.2 AA, as far as a machine can tell, on every page in every state, light and dark, wide and at 320 px.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { everyWay } from './support/axe.mjs';
import { stage } from './support/stage.mjs';
import { walk } from './support/walk.mjs';

const here = stage();

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

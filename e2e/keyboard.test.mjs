// No mouse: reach everything by Tab, and always see where you are.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atQuestion, begin, chosen, saved, signInByMail } from './support/people.mjs';
import { stage } from './support/stage.mjs';

const here = stage();

test('a question is answered and left by keyboard alone', async () => {
  const { page, complaints } = await here.device();
  await signInByMail(page, 'no.mouse@example.org');
  const attempt = await begin(page);
  await page.reload();

  await page.keyboard.press('Tab');
  const first = await focused(page);
  assert.match(first.words, /skip/i, `the first stop is a link past the header, not ${JSON.stringify(first)}`);

  await tabTo(page, ({ name }) => name === 'choice');
  await page.keyboard.press('Space');
  await saved(page);
  assert.equal((await chosen(page)).length, 1);

  await tabTo(page, ({ name, value }) => name === 'go' && value === 'next');
  await page.keyboard.press('Enter');
  await atQuestion(page, attempt, 2);
  assert.deepEqual(complaints, []);
});

test('every stop on the way shows that it has the focus', async () => {
  const { page } = await here.device();
  for (const address of ['/', '/sign-in', '/verify', '/programmes/serverless']) {
    await page.goto(address);
    const seen = new Set();
    for (let step = 0; step < 60; step += 1) {
      await page.keyboard.press('Tab');
      const at = await focused(page);
      if (at.tag === 'body' || seen.has(at.key)) break;
      seen.add(at.key);
      assert.ok(at.visible, `${address}: ${at.key} is focused and cannot be seen`);
    }
    assert.ok(seen.size > 2, `${address}: more than two stops`);
  }
});

/** The element with the focus, and whether a sighted person can tell. */
function focused(page) {
  return page.evaluate(() => {
    const element = document.activeElement ?? document.body;
    const box = element.getBoundingClientRect();
    // A ring may be drawn by the element itself or by the label or card around a hidden control.
    const drawn = (candidate) => {
      const style = getComputedStyle(candidate);
      return (style.outlineStyle !== 'none' && Number.parseFloat(style.outlineWidth) >= 2) || style.boxShadow !== 'none';
    };
    const around = [element, element.closest('label'), element.nextElementSibling, element.parentElement].filter(Boolean);
    const all = [...document.querySelectorAll('*')];
    return {
      tag: element.tagName.toLowerCase(),
      key: `${element.tagName.toLowerCase()} ${all.indexOf(element)} ${element.textContent.trim().slice(0, 30)}`,
      name: element.getAttribute('name'),
      value: element.getAttribute('value'),
      words: element.textContent.trim(),
      visible: around.some(drawn) && box.bottom > 0 && box.top < innerHeight,
    };
  });
}

async function tabTo(page, wanted) {
  for (let step = 0; step < 80; step += 1) {
    const at = await focused(page);
    if (wanted(at)) {
      assert.ok(at.visible, `${at.key} is focused and cannot be seen`);
      return;
    }
    await page.keyboard.press('Tab');
  }
  assert.fail('not reached by Tab');
}

// Two devices at once: a newer answer is shown, never overwritten in silence, never hidden.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerWithScripts, atQuestion, begin, choices, chosen, go, saved, signInByMail, text } from './support/people.mjs';
import { stage } from './support/stage.mjs';

const here = stage();
const NEWER = /newer answer/i;

/** The options that the page marks as the newer answer. */
function newer(page) {
  const marked = page.locator('.options li', { has: page.getByText('newer answer').filter({ visible: true }) });
  return marked.locator('input[name=choice]').evaluateAll((inputs) => inputs.map((input) => input.value));
}

test('a choice that met a newer answer is kept until a person decides', async () => {
  const desk = await here.device();
  const phone = await here.device();
  await signInByMail(desk.page, 'undecided@example.org');
  await signInByMail(phone.page, 'undecided@example.org');
  const attempt = await begin(desk.page);
  await phone.page.goto(`${attempt}/questions/1`);
  await answerWithScripts(desk.page, 0);
  await choices(phone.page).nth(1).check();
  await phone.page.getByText(NEWER).first().waitFor();
  const wanted = await chosen(phone.page);

  await phone.page.reload();
  await phone.page.getByText(NEWER).first().waitFor();
  assert.deepEqual(await chosen(phone.page), wanted);
});

for (const { button, whose, stands } of [
  { button: /keep the newer/i, whose: 'theirs', stands: (desk) => desk },
  { button: /keep the one chosen/i, whose: 'mine', stands: (_, phone) => phone },
]) {
  test(`going on from a conflict does not leave it behind, and deciding for ${whose} ends it`, async () => {
    const desk = await here.device();
    const phone = await here.device();
    const address = `goes.on.${whose}@example.org`;
    await signInByMail(desk.page, address);
    await signInByMail(phone.page, address);
    const attempt = await begin(desk.page);
    await phone.page.goto(`${attempt}/questions/1`);
    await answerWithScripts(desk.page, 0);
    const onDesk = await chosen(desk.page);
    await choices(phone.page).nth(1).check();
    await phone.page.getByText(NEWER).first().waitFor();
    const onPhone = await chosen(phone.page);

    await go(phone.page, 'next').click();
    await phone.page.waitForTimeout(1000);
    assert.match(await text(phone.page), NEWER, 'the page still asks');
    await phone.page.getByRole('button', { name: button }).click();
    await phone.page.waitForTimeout(1000);

    await phone.page.goto(`${attempt}/questions/1`);
    await phone.page.waitForTimeout(1000);
    assert.doesNotMatch(await text(phone.page), NEWER, 'it was decided');
    assert.deepEqual(await chosen(phone.page), stands(onDesk, onPhone));
  });
}

test('two devices with scripts', async () => {
  const desk = await here.device();
  const phone = await here.device({ narrow: true });
  await signInByMail(desk.page, 'two.devices@example.org');
  await signInByMail(phone.page, 'two.devices@example.org');
  const attempt = await begin(desk.page);

  await phone.page.goto(`${attempt}/questions/1`);
  await answerWithScripts(desk.page, 0);
  const [mine] = await chosen(desk.page);

  // The phone still shows the question as it was before.
  const other = await choices(phone.page).evaluateAll((inputs, token) => inputs.findIndex((input) => input.value !== token), mine);
  await choices(phone.page).nth(other).check();
  await phone.page.getByText(NEWER).first().waitFor();
  assert.doesNotMatch(await phone.page.locator('#status').innerText(), /^Saved/, 'what was not saved is not called saved');

  assert.deepEqual(await newer(phone.page), [mine], 'the newer answer is marked, not only spoken of');

  await desk.page.reload();
  assert.deepEqual(await chosen(desk.page), [mine], 'the first answer stands until a person decides');

  await phone.page.locator('button[data-keep=mine]').click();
  await saved(phone.page);
  const [theirs] = await chosen(phone.page);
  assert.notEqual(theirs, mine);
  await desk.page.reload();
  assert.deepEqual(await chosen(desk.page), [theirs]);
  assert.deepEqual([...desk.complaints, ...phone.complaints], []);
});

test('two devices without scripts', async () => {
  const desk = await here.device({ scripts: false });
  const phone = await here.device({ scripts: false, narrow: true });
  await signInByMail(desk.page, 'two.plain.devices@example.org');
  await signInByMail(phone.page, 'two.plain.devices@example.org');
  const attempt = await begin(desk.page);

  await phone.page.goto(`${attempt}/questions/1`);
  await choices(desk.page).nth(0).check();
  const [mine] = await chosen(desk.page);
  await go(desk.page, 'next').click();
  await atQuestion(desk.page, attempt, 2);

  await choices(phone.page).nth(1).check();
  const [answer] = await Promise.all([
    phone.page.waitForResponse((response) => response.request().method() === 'POST'),
    go(phone.page, 'next').click(),
  ]);
  assert.equal(answer.status(), 409);
  assert.match(await text(phone.page), NEWER);
  assert.deepEqual(await newer(phone.page), [mine]);

  await phone.page.locator('button[name=keep][value=theirs]').click();
  await phone.page.goto(`${attempt}/questions/1`);
  assert.deepEqual(await chosen(phone.page), [mine]);
  assert.deepEqual([...desk.complaints, ...phone.complaints], []);
});

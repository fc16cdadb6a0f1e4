// The sample programmes' questions are public: who reads their folder can answer all of them.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';

const FRONT = /^---\n[\s\S]*?\n---\n/;

/** Words without blanks and emphasis: what Markdown and a page have in common. Signs stay, since options may differ in them alone. */
const bare = (words) => words.replace(/\]\([^)]*\)/g, ']').replace(/[\s`*\\[\]]/g, '');

/** From the options of an item, whatever their order, to those of them that are right. */
export function readKeys(programme) {
  const items = new URL(`../../packs/${programme}/items/`, import.meta.url);
  const keys = new Map();
  for (const domain of readdirSync(items)) {
    for (const file of readdirSync(new URL(`${domain}/`, items))) {
      const body = readFileSync(new URL(`${domain}/${file}`, items), 'utf8').replace(FRONT, '');
      const options = body
        .split(/^- \[(?=[ x]\])/m)
        .slice(1)
        .map((option) => ({ right: option[0] === 'x', words: bare(option.slice(2).split(/^ *>/m)[0].replace(/^ *```\w*$/gm, '')) }));
      const id = nameOf(options.map((option) => option.words));
      assert.equal(new Set(options.map((option) => option.words)).size, options.length, `options of ${file} read the same`);
      assert.ok(!keys.has(id), `${file} has the options of another item`);
      keys.set(id, new Set(options.filter((option) => option.right).map((option) => option.words)));
    }
  }
  return keys;
}

const nameOf = (options) => [...options].sort().join('\n');

/** The tokens of the right options of the question on the screen. */
export async function rightTokens(page, keys) {
  const shown = await page.locator('input[name=choice]').evaluateAll((inputs) => inputs.map((input) => ({ token: input.value, words: input.labels[0].innerText })));
  const options = shown.map(({ token, words }) => ({ token, words: bare(words) }));
  const right = keys.get(nameOf(options.map((option) => option.words)));
  assert.ok(right, `no item has these options: ${shown.map((option) => option.words).join(' / ')}`);
  return options.filter((option) => right.has(option.words)).map((option) => option.token);
}

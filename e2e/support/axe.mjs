// axe-core over a page, with words a person can read.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { NARROW, WIDE } from './browser.mjs';

const SOURCE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

/**
 * What axe finds, one line a fault. The script goes in by the debugger, so that the page keeps its own strict policy.
 */
export async function faults(page) {
  const session = await page.context().newCDPSession(page);
  try {
    const run = async (expression) => {
      const answer = session.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
      const { result, exceptionDetails } = await inTime(answer);
      if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
      return result.value;
    };
    if (!(await run('typeof axe === "object"'))) await run(`${SOURCE};0`);
    const violations = await run(
      `axe.run(document, ${JSON.stringify({ runOnly: { type: 'tag', values: TAGS }, resultTypes: ['violations'] })}).then((found) => found.violations)`,
    );
    return violations.flatMap(({ id, help, nodes }) =>
      nodes.map((node) => `${id} (${help}) at ${node.target.join(' ')}: ${node.failureSummary.replace(/\s+/g, ' ')}`),
    );
  } finally {
    await session.detach();
  }
}

/** Fails instead of waiting for ever, as it would where the page may run no scripts. */
function inTime(promise) {
  let late;
  const limit = new Promise((_, reject) => (late = setTimeout(() => reject(new Error('axe took over 30 s')), 30_000)));
  return Promise.race([promise, limit]).finally(() => clearTimeout(late));
}

/** Elements that stick out of the screen, when the page scrolls sideways. */
export async function sideways(page) {
  return page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    const out = [...document.querySelectorAll('body *')].filter((element) => element.getBoundingClientRect().right > width + 1);
    const name = (element) => `${element.tagName.toLowerCase()}${element.className ? `.${String(element.className.baseVal ?? element.className).split(' ').join('.')}` : ''}`;
    return [`${document.documentElement.scrollWidth} px on a screen of ${width} px: ${out.slice(0, 4).map(name).join(', ')}`];
  });
}

/** The page as it stands, in both colours and both widths. */
export async function everyWay(page) {
  const found = [];
  // A click that leads here may have ended before the style was there.
  await page.waitForLoadState();
  for (const [size, viewport] of [['wide', WIDE], ['320 px', NARROW]]) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      for (const words of await faults(page)) found.push(`${size}, ${colorScheme}: ${words}`);
    }
    if (viewport === NARROW) found.push(...(await sideways(page)).map((words) => `scrolls sideways: ${words}`));
  }
  await page.setViewportSize(WIDE);
  await page.emulateMedia({ colorScheme: 'light' });
  return found;
}

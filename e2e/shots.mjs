// A picture of every page in every state: wide, 320 px, dark.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { NARROW, WIDE, device, launch } from './support/browser.mjs';
import { Server } from './support/server.mjs';
import { walk } from './support/walk.mjs';

const folder = process.argv[2] ?? 'shots';
mkdirSync(folder, { recursive: true });

const server = await new Server().start();
const browser = await launch();
let count = 0;
try {
  await walk((options) => device(browser, server.url, options), server.url, async (name, page) => {
    const take = (way) => page.screenshot({ path: join(folder, `${name}.${way}.png`), fullPage: true });
    await take('wide');
    await page.emulateMedia({ colorScheme: 'dark' });
    await take('dark');
    await page.emulateMedia({ colorScheme: 'light' });
    await page.setViewportSize(NARROW);
    await take('320');
    await page.setViewportSize(WIDE);
    count += 1;
    console.log(`  ${String(count).padStart(2)} ${name}`);
  });
} finally {
  await browser.close();
  await server.stop();
}
console.log(`${count} states, three pictures each, in ${folder}`);

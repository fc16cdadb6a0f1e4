// One server and one browser for a test file.

import { after, before } from 'node:test';
import { device, launch } from './browser.mjs';
import { Server } from './server.mjs';

export function stage(options) {
  const here = {
    device: (more) => device(here.browser, here.server.url, more),
  };
  before(async () => {
    here.server = await new Server(options).start();
    here.browser = await launch();
  });
  after(async () => {
    await here.browser?.close();
    await here.server?.stop();
  });
  return here;
}

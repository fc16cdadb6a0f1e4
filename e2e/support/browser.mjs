// Chromium from the system, and devices in it: one device is one context with its own cookies.

import { chromium } from 'playwright-core';

const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export const WIDE = { width: 1280, height: 900 };
export const NARROW = { width: 320, height: 640 };

export function launch() {
  return chromium.launch({ executablePath: process.env.ASSAY_CHROMIUM ?? '/usr/bin/chromium', args: ARGUMENTS });
}

/**
 * A device with one page. Scripts are on, off, or `'blocked'`: the page comes as without them, yet can be looked into.
 * `complaints` collects what no page may ever do: script errors, breaches of its own
 * policy, 5xx.
 */
export async function device(browser, url, { scripts = true, dark = false, narrow = false } = {}) {
  const context = await browser.newContext({
    baseURL: url,
    javaScriptEnabled: Boolean(scripts),
    colorScheme: dark ? 'dark' : 'light',
    viewport: narrow ? NARROW : WIDE,
    reducedMotion: 'reduce',
    acceptDownloads: true,
  });
  context.setDefaultTimeout(15_000);
  if (scripts === 'blocked') {
    await context.route('**/*', (route) => (route.request().resourceType() === 'script' ? route.abort() : route.continue()));
  }
  const page = await context.newPage();
  const complaints = watch(page);
  return { context, page, complaints };
}

function watch(page) {
  const complaints = [];
  const say = (words) => complaints.push(`${new URL(page.url(), 'http://x').pathname}: ${words}`);
  page.on('pageerror', (error) => say(`script error: ${error.message}`));
  page.on('console', (message) => {
    const words = message.text();
    // Answers that refuse (4xx, 5xx) and a network that is away are also told on the console; they are looked at by status.
    if (message.type() === 'error' && !/Failed to load resource|ERR_INTERNET_DISCONNECTED|ERR_CONNECTION_REFUSED/.test(words)) say(words);
  });
  page.on('response', (response) => {
    if (response.status() >= 500) say(`${response.status()} from ${response.url()}`);
  });
  return complaints;
}

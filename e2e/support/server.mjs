// Starts the program as a person would, reads its one line on standard output, ends it again.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const PROGRAM = process.env.ASSAY_BIN ?? new URL('../../target/debug/assay', import.meta.url).pathname;
const READY = /^Assay is ready at (http:\/\/\S+)$/m;
const PATIENCE_MS = 60_000;

export class Server {
  #child;
  #words = '';
  #ended;

  constructor({ data, listen = '127.0.0.1:0' } = {}) {
    this.ownsData = !data;
    this.data = data ?? mkdtempSync(join(tmpdir(), 'assay-e2e-'));
    this.listen = listen;
  }

  async start() {
    this.#words = '';
    this.#child = spawn(PROGRAM, ['demo', '--listen', this.listen, '--data', this.data], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#ended = new Promise((resolve) => this.#child.once('exit', (code, signal) => resolve(signal ?? code)));
    let said = '';
    this.url = await new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`not ready within ${PATIENCE_MS / 1000} s:\n${said}${this.#words}`)), PATIENCE_MS);
      const done = (act) => (value) => {
        clearTimeout(late);
        act(value);
      };
      this.#child.once('error', done((error) => reject(new Error(`${PROGRAM}: ${error.message}`))));
      this.#child.once('exit', (code, signal) => done(reject)(new Error(`ended with ${signal ?? code} before it was ready:\n${said}${this.#words}`)));
      this.#child.stderr.on('data', (chunk) => (this.#words += chunk));
      this.#child.stdout.on('data', (chunk) => {
        said += chunk;
        const found = READY.exec(said);
        if (found) done(resolve)(found[1].replace(/\/$/, ''));
      });
    });
    // After a restart the browser must find it where it was.
    this.listen = new URL(this.url).host;
    return this;
  }

  /** What it said on standard error. */
  get words() {
    return this.#words;
  }

  /** As a power switch would: no chance to tidy up. */
  async kill() {
    this.#child.kill('SIGKILL');
    return this.#ended;
  }

  async stop() {
    if (!this.#child) return undefined;
    this.#child.kill('SIGTERM');
    const late = setTimeout(() => this.#child.kill('SIGKILL'), 10_000);
    const how = await this.#ended;
    clearTimeout(late);
    if (this.ownsData) rmSync(this.data, { recursive: true, force: true });
    return how;
  }
}

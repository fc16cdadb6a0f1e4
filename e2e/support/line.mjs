// The line between a browser and the program: a TCP proxy that can be cut, half open, or made to hold and repeat requests.

import net from 'node:net';

export class Line {
  #server;
  #to;
  #open = new Set();
  #how = 'good';
  #fates = [];
  /** The statuses of what the line handed on by itself: copies, and what nobody waited for any more. */
  alone = [];

  constructor(url) {
    this.#to = new URL(url);
  }

  async start() {
    this.#server = net.createServer((browser) => this.#take(browser));
    await new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${this.#server.address().port}`;
    return this;
  }

  stop() {
    for (const one of this.#open) one.destroy();
    return new Promise((resolve) => this.#server.close(resolve));
  }

  /** No connection: those that are there end, new ones as well. */
  cut() {
    this.#how = 'cut';
    for (const one of this.#open) one.destroy();
  }

  /** Half open: connections stay and can be made, and nothing comes through in either direction. */
  swallow() {
    this.#how = 'mute';
    for (const one of this.#open) one.mute = true;
  }

  /** Good again for new connections. What was swallowed stays swallowed, and its connection mute. */
  mend() {
    this.#how = 'good';
  }

  /** Holds the next save for so long, and hands it on then, whoever waits for it or not. */
  hold(milliseconds) {
    this.#fates.push(async (hand, bytes) => {
      await new Promise((resolve) => setTimeout(resolve, milliseconds));
      if (!hand(bytes)) await this.#alone(bytes);
    });
  }

  /** Hands each of the next so many saves on twice, the second time after a while, and over a connection of its own. */
  repeat(count, milliseconds) {
    for (let left = count; left > 0; left -= 1) {
      this.#fates.push(async (hand, bytes) => {
        hand(bytes);
        await new Promise((resolve) => setTimeout(resolve, milliseconds));
        await this.#alone(bytes);
      });
    }
  }

  /** Nobody hears the answer to the next save: the line is cut as soon as it comes. */
  deafen() {
    this.#fates.push(async (hand, bytes, browser) => {
      await this.#alone(bytes);
      browser.destroy();
    });
  }

  #take(browser) {
    this.#open.add(browser);
    browser.on('close', () => this.#open.delete(browser));
    browser.on('error', () => {});
    if (this.#how === 'cut') return browser.destroy();
    browser.mute = this.#how === 'mute';
    const server = net.connect(this.#to.port, this.#to.hostname);
    server.on('error', () => browser.destroy());
    server.on('data', (bytes) => browser.mute || browser.write(bytes));
    server.on('close', () => browser.mute || browser.end());
    let gone = false;
    // What is still held is handed on by another way.
    browser.on('close', () => {
      gone = true;
      server.destroy();
    });
    const hand = (bytes) => !gone && !browser.mute && server.write(bytes) !== undefined;
    let read = Buffer.alloc(0);
    browser.on('data', (bytes) => {
      if (browser.mute) return;
      read = Buffer.concat([read, bytes]);
      for (let request; (request = whole(read)); read = read.subarray(request.length)) this.#pass(request, hand, browser);
    });
    return undefined;
  }

  #pass(bytes, hand, browser) {
    const first = bytes.subarray(0, bytes.indexOf('\r\n')).toString();
    const fate = /^POST \S+\/answer /.test(first) ? this.#fates.shift() : undefined;
    if (fate) fate(hand, Buffer.from(bytes), browser);
    else hand(bytes);
  }

  /** Asks on a connection of its own. */
  async #alone(bytes) {
    const answer = await new Promise((resolve, reject) => {
      const server = net.connect(this.#to.port, this.#to.hostname);
      server.on('error', reject);
      server.once('data', (data) => {
        resolve(data.toString());
        server.destroy();
      });
      server.write(bytes);
    });
    this.alone.push(Number(answer.split(' ')[1]));
  }
}

/** The first whole request of what came so far. */
function whole(read) {
  const end = read.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const length = Number(/\r\ncontent-length: *(\d+)/i.exec(read.subarray(0, end).toString())?.[1] ?? 0);
  return read.length >= end + 4 + length ? read.subarray(0, end + 4 + length) : undefined;
}

// Additions to pages that work without this. On a question page: saves as you choose, keeps what is not saved yet on the
// device, and says "Saved" only when the server has said so.
const $ = (selector, root = document) => root.querySelector(selector);

for (const time of document.querySelectorAll("time[datetime]")) {
  const at = new Date(time.dateTime);
  if (!isNaN(at)) {
    time.title = time.textContent;
    time.textContent = at.toLocaleString("en-GB", { weekday: "long", day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit", ...(at.getSeconds() && { second: "2-digit" }), timeZoneName: "short" });
  }
}

// A time limit: minutes left, in no live region; the last five and the last one are said once. Then the result.
const ends = $("[data-seconds-left]");
if (ends) {
  const end = Date.now() + (Number(ends.dataset.secondsLeft) + 1) * 1000;
  const tick = () => {
    const left = Math.ceil((end - Date.now()) / 60000);
    if (left <= 0) return location.reload();
    $("#left").textContent = `${left} ${left === 1 ? "minute" : "minutes"} left.`;
    if (left === 5 || left === 1) say(`${left} ${left === 1 ? "minute" : "minutes"} left.`, "bad");
    setTimeout(tick, Math.min(end - Date.now(), 60000) || 1000);
  };
  queueMicrotask(tick);
}

const error = $(".errors:not([hidden])");
if (error) error.focus();

const store = {
  get: (key) => { try { return JSON.parse(localStorage.getItem(key)); } catch { return null; } },
  set: (key, value) => { try { localStorage.setItem(key, JSON.stringify(value)); } catch { /* private mode: the page keeps it */ } },
  remove: (key) => { try { localStorage.removeItem(key); } catch { /* nothing kept */ } },
};
// Each page is a device of its own, so that one that shows an older answer never saves over a newer one unasked. What a page could
// not send is kept with its device's name: whoever sends it later repeats that very save.
const device = [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
const same = (a, b) => a?.device === b?.device && a?.counter === b?.counter;

const status = $("#status");
const say = (words, kind = "") => { if (status) { status.textContent = words; status.className = "status " + kind; } };
const attempt = ($("#sitting") || status)?.dataset.attempt;
const prefix = `assay:${attempt}:`;
const unsent = () => { try { return Object.keys(localStorage).filter((key) => key.startsWith(prefix)); } catch { return []; } };
// Only what was sent is forgotten: another tab may have put a later answer in its place.
const forget = (key, answer) => { if (!answer || same(store.get(key), answer)) store.remove(key); };

async function send(n, answer) {
  const response = await fetch(`/attempts/${attempt}/questions/${n}/answer`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify({ chosen: answer.chosen, base_revision: answer.base, device: answer.device ?? device, counter: answer.counter }),
    signal: AbortSignal.timeout(10000),
  });
  // A busy server says when to come back.
  const wait = Number(response.headers.get("retry-after")) * 1000 || 0;
  return { code: response.status, wait, body: await response.json().catch(() => ({})) };
}
// A line that is half open takes what is sent and says nothing for as long as the time-out above: that is said earlier.
const LATE = 2000;
// Not everybody at the same moment.
const soon = (act, pause) => setTimeout(act, pause * (1 + Math.random() / 4));

// Sends what earlier pages of this attempt could not send; tries again while the server is busy or away.
let again = 0;
const left = () => `Not saved yet, kept on this device: question ${unsent().map((key) => key.slice(prefix.length)).join(", ")}. Trying again.`;
async function flush(except, tried = false) {
  clearTimeout(again);
  let pause = 0;
  for (const key of unsent()) {
    const n = key.slice(prefix.length);
    if (n === except) continue;
    const answer = store.get(key);
    try {
      const late = setTimeout(() => $("#sitting") || say(left(), "bad"), LATE);
      const { code, wait } = await send(n, answer).finally(() => clearTimeout(late));
      if (code === 200 || code === 410 || code === 404) forget(key, answer);
      else if (code === 409) say(`Question ${n} was answered on another device too. Open it to choose.`, "bad");
      else pause = Math.max(pause, wait, 5000);
    } catch { pause = Math.max(pause, 5000); }
  }
  if (pause) again = soon(() => flush(except, true), pause);
  if ($("#sitting")) return;
  if (unsent().length) say(left(), "bad");
  else if (tried) location.reload();
}

if (attempt) {
  addEventListener("online", () => flush(form?.dataset.n));
  addEventListener("beforeunload", (event) => { if (waiting) event.preventDefault(); });
}
const form = $("#sitting");
let waiting = null;
if (attempt && !form) flush();

// Handing in waits for answers that are still on this device.
const hand = $("form[data-hand-in]");
if (hand) hand.addEventListener("submit", async (event) => {
  if (!unsent().length) return;
  event.preventDefault();
  await flush();
  if (unsent().length) say(`Not handed in: the answer to question ${unsent().map((k) => k.slice(prefix.length)).join(", ")} is on this device only. Open that question, or wait for the connection.`, "bad");
  else location.reload();
});

// A page that comes back from the browser's memory shows old answers: ask the server.
addEventListener("pageshow", (event) => { if (event.persisted && attempt) location.reload(); });

if (form) {
  const { n } = form.dataset;
  const key = prefix + n;
  const field = (name) => form.elements[name];
  const inputs = () => [...form.querySelectorAll("[name=choice]")];
  const chosen = () => inputs().filter((i) => i.checked).map((i) => i.value);
  let base = Number(field("revision").value);
  let pause = 1000, timer = 0;
  const kept = store.get(key);
  const show = (tokens) => inputs().forEach((i) => { i.checked = tokens.includes(i.value); });
  const conflict = $("#conflict");
  const mark = (tokens) => inputs().forEach((input) => {
    const label = input.nextElementSibling, tag = $(".tag", label);
    if (tag) tag.remove();
    if (tokens.includes(input.value)) label.insertAdjacentHTML("beforeend", ' <span class="tag">newer answer</span>');
  });
  let last = 0;
  const next = () => (last = Math.max(Date.now(), last + 1));
  const carry = (answer) => { field("device").value = answer.device; field("counter").value = answer.counter; field("revision").value = answer.base; };
  const settle = () => carry({ device, counter: next(), base });

  // "Saving…" is true for a moment only.
  let late = 0;
  const watch = () => (late ||= setTimeout(() => {
    late = 0;
    if (waiting && !/not saved|signed out/i.test(status.textContent)) say("Not saved yet: no answer from the server so far. Kept on this device; trying again.", "bad");
  }, LATE));
  const saving = (words = "") => { say(words + "Saving…"); watch(); };
  let running = null;
  const save = () => (running ??= saveAll().finally(() => { running = null; }));

  // Sends what is waiting, and what was chosen meanwhile, until nothing is or something went wrong.
  async function saveAll() {
    for (let answer; (answer = waiting);) {
      clearTimeout(timer);
      let reply;
      try { reply = await send(n, answer); } catch { say("Not saved: no connection. Kept on this device; trying again.", "bad"); return later(); }
      const { code, body, wait } = reply;
      if (code === 200) {
        clearTimeout(late);
        late = 0;
        base = body.revision;
        field("revision").value = base;
        // Chosen anew meanwhile, here: it follows what was just saved. In another tab: that is a save of its own.
        if (!same(waiting, answer)) { if (waiting?.device === device) { waiting.base = base; store.set(key, waiting); } watch(); continue; }
        const asked = Number(form.dataset.choose), count = answer.chosen.length;
        const hint = asked && count && count !== asked ? `. You chose ${count}; the question asks for ${asked}` : "";
        done((count ? `Saved ${body.at} UTC` : `Cleared, saved ${body.at} UTC`) + hint, hint ? "" : "good");
        pause = 1000;
      } else if (code === 409 && !same(waiting, answer)) {
        continue;
      } else if (code === 409) {
        $("p", conflict).textContent = `This question was answered on another device or page at ${body.newer.at} UTC. What you chose here is not saved. Which answer shall stand?`;
        mark(body.newer.chosen);
        conflict.hidden = false; conflict.newer = body.newer; conflict.focus();
        // What was chosen here stays on the device until one of the two buttons is pressed.
        waiting = null;
        return say("Not saved: a newer answer exists.", "bad");
      } else if (code === 410) {
        done("This attempt is over.", "bad");
        location.href = `/attempts/${attempt}/result`;
      } else if (code === 404 || code === 400 || code === 422) {
        done("Not saved: this page is out of date. Reload it and choose again.", "bad");
      } else {
        say(code === 401 ? "You are signed out. Sign in again in another tab; your answer is kept on this device and will be sent." : code === 503 ? "Not saved yet: the server is busy. Kept on this device; trying again." : "Not saved yet. Kept on this device; trying again.", "bad");
        return later(wait);
      }
    }
  }
  const done = (words, kind) => { forget(key, waiting); waiting = null; settle(); say(words, kind); };
  const later = (wait = 0) => { clearTimeout(timer); timer = soon(save, Math.max(pause, wait)); pause = Math.min(pause * 2, 15000); };

  function choose() {
    const answer = { chosen: chosen(), base, device, counter: next() };
    waiting = answer; store.set(key, answer); carry(answer);
    saving();
    save();
  }

  // Where the server's page shows the conflict, its form decides; the copy stays on the device until it has.
  if (kept && error?.id !== "conflict") { show(kept.chosen); waiting = kept; carry(kept); saving(); save(); } else if (error?.id !== "conflict") settle();
  form.addEventListener("change", (event) => { if (event.target.name === "choice") choose(); });
  addEventListener("online", () => { pause = 1000; save(); });
  // Another tab of this browser answered the same question: show that answer, and ask the server for its word by repeating the save.
  addEventListener("storage", (event) => {
    if (event.key !== key) return;
    const answer = event.newValue && store.get(key);
    // The conflict that both showed was settled there.
    if (!answer) { if (!waiting && !conflict.hidden) location.reload(); return; }
    if (same(answer, waiting)) return;
    conflict.hidden = true;
    mark([]);
    show(answer.chosen);
    waiting = answer;
    carry(answer);
    saving("Changed just now in another tab. ");
    save();
  });
  $("#clear").addEventListener("click", (event) => { event.preventDefault(); show([]); choose(); inputs()[0].focus(); });
  $("#flag").addEventListener("click", async (event) => {
    event.preventDefault();
    const button = event.currentTarget, flagged = button.value === "flag";
    try {
      const response = await fetch(`/attempts/${attempt}/questions/${n}/flag`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ flagged }), signal: AbortSignal.timeout(10000) });
      if (!response.ok) throw 0;
      button.value = flagged ? "unflag" : "flag";
      button.textContent = flagged ? "Flagged: take the flag away" : "Flag for later";
      $("#flagged").textContent = flagged ? "Flagged for later." : "The flag is taken away.";
    } catch { say("The flag was not saved: no connection.", "bad"); }
  });
  conflict.addEventListener("click", (event) => {
    const keep = event.target.dataset?.keep;
    if (!keep || !conflict.newer) return;
    base = conflict.newer.revision;
    field("revision").value = base;
    conflict.hidden = true;
    mark([]);
    if (keep === "theirs") { show(conflict.newer.chosen); done(`Saved ${conflict.newer.at} UTC`, "good"); } else choose();
    $("#question").focus();
  });
  form.addEventListener("submit", async (event) => {
    if (event.submitter?.name === "keep") store.remove(key);
    if (event.submitter?.name === "keep" || !waiting) return;
    // Going on while an answer is on its way: wait for it rather than lose it on an error page.
    event.preventDefault();
    const button = event.submitter;
    await save();
    if (!waiting && conflict.hidden) { form.noValidate = true; form.requestSubmit(button); }
    else if (waiting) say("Not saved yet, kept on this device. You can go on when the connection is back.", "bad");
  });
  // A new question: its heading is read first.
  if (!error && document.referrer.includes(`/attempts/${attempt}/questions/`)) $("#question").focus();
  flush(n);
}

const verify = $("#verify");
if (verify) {
  addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dropping"); });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    if (!event.dataTransfer.files.length) return;
    verify.elements.file.files = event.dataTransfer.files;
    verify.requestSubmit();
  });
}

// A badge that is being signed: look again, and show it once it is there; never over something half typed.
const signing = $("#waiting");
if (signing) {
  const address = location.pathname.replace("/me/badges/", "/b/") + ".json";
  const untouched = () => [...document.querySelectorAll("main input")].every((i) => i.value === i.defaultValue && i.checked === i.defaultChecked);
  const look = async () => {
    const ready = await fetch(address).then((response) => response.ok, () => false);
    if (!ready) setTimeout(look, 1500);
    else if (untouched()) location.reload();
    else signing.textContent = "Signed. Save, or reload the page, to see it.";
  };
  setTimeout(look, 500);
}

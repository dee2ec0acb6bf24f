"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const stored = `signgen-study-${data.study}`;
const part = (name) => document.getElementById(name);

// A rater's order depends on the code alone, so that it can be had again (xmur3, mulberry32)
function draws(text) {
  let state = 1779033703 ^ text.length;
  for (const letter of text) {
    state = Math.imul(state ^ letter.codePointAt(0), 3432918353);
    state = (state << 13) | (state >>> 19);
  }
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function shuffled(values, draw) {
  const order = [...values];
  for (let last = order.length - 1; last > 0; last--) {
    const chosen = Math.floor(draw() * (last + 1));
    [order[last], order[chosen]] = [order[chosen], order[last]];
  }
  return order;
}

function begun(about) {
  const draw = draws(`${data.study}/${about.rater}`);
  return {
    schema_version: 1,
    study: data.study,
    rater: about.rater,
    about,
    order: shuffled(data.items, draw),
    pair_order: shuffled(data.pairs, draw).map((pair) => {
      const [left, right] = draw() < 0.5 ? pair.items : [...pair.items].reverse();
      return { pair: pair.id, left, right };
    }),
    ratings: [],
    pairs: [],
    comment: "",
  };
}

let answers = null;
let shownAt = 0;
let plays = {};

function save() {
  try {
    localStorage.setItem(stored, JSON.stringify(answers));
  } catch {
    // Pages opened from disk may have no storage: answers are then kept until the page is closed
  }
}

function show(name, heading, done, all) {
  for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== name;
  const title = part(`${name}-heading`);
  if (heading) title.textContent = heading;
  const bar = part(name).querySelector("progress");
  if (bar) { bar.max = all; bar.value = done; }
  shownAt = performance.now();
  plays = {};
  title.focus();
  window.scrollTo(0, 0);
}

function play(id, item) {
  const video = part(id);
  video.src = data.videos[item];
  plays[id] = 0;
  video.onended = () => { plays[id] += 1; };
}

function next() {
  save();
  const rated = answers.ratings.length;
  const compared = answers.pairs.length;
  if (rated < answers.order.length) {
    part("rating").querySelector("form").reset();
    show("rating", `Video ${rated + 1} of ${answers.order.length}`, rated, answers.order.length);
    play("single", answers.order[rated]);
  } else if (compared < answers.pair_order.length) {
    part("comparing").querySelector("form").reset();
    show("comparing", `Pair ${compared + 1} of ${answers.pair_order.length}`, compared, answers.pair_order.length);
    play("left", answers.pair_order[compared].left);
    play("right", answers.pair_order[compared].right);
  } else {
    show("end");
  }
}

const seconds = () => Math.round((performance.now() - shownAt) / 100) / 10;

function handled(name, take) {
  part(name).querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const missing = part(name).querySelector(".missing");
    const problem = take(new FormData(event.target));
    if (missing) missing.textContent = problem || "";
    if (!problem) next();
  });
}

handled("welcome", (form) => {
  const about = { ...Object.fromEntries(form), consent: true, rater: form.get("rater").trim() };
  if (!about.rater) return "Write the code that you were given.";
  answers = begun(about);
  try {
    const before = JSON.parse(localStorage.getItem(stored));
    if (before && before.rater === about.rater) answers = before;
  } catch {
    // Nothing was kept
  }
  return "";
});

handled("rating", (form) => {
  const cannot = form.get("cannot") !== null;
  const given = Object.fromEntries(data.scales.map((name) => [name, Number(form.get(name)) || null]));
  if (!cannot && !plays.single) return "Watch the video to its end first.";
  if (!cannot && Object.values(given).includes(null)) return "Answer each question, or say that you cannot judge this video.";
  const item = answers.order[answers.ratings.length];
  answers.ratings.push({ item, ...given, signed: form.get("signed"), cannot_judge: cannot, plays: plays.single, seconds: seconds() });
  return "";
});

handled("comparing", (form) => {
  const choice = form.get("choice");
  if (!choice) return "Choose an answer.";
  if (choice !== "cannot" && !(plays.left && plays.right)) return "Watch both videos to their end first.";
  const pair = answers.pair_order[answers.pairs.length];
  answers.pairs.push({ ...pair, choice, why: form.get("why"), plays: [plays.left, plays.right], seconds: seconds() });
  return "";
});

part("end").querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  answers.comment = new FormData(event.target).get("comment");
  save();
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(answers, null, 1)], { type: "application/json" }));
  link.download = `ratings-${data.study}-${answers.rater.replace(/[^\w-]/g, "_")}.json`;
  link.click();
});

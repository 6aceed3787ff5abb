"use strict";
// Takes of one seed share one time line: one place, one range that repeats, one part that is seen. The player at the
// foot of the page plays the take that is `active`. Each sound is decoded whole, so that ranges repeat without a gap,
// and a listener who changes the take stays at the same place.

const FEWEST = 24;        // pitches shown at least
const MARGIN = 2;         // pitches above and below the notes
const BAND = 20;          // points at the top of a roll, where chords are named
const LABEL = 36;         // points between two labels at least
const USUAL = 40;         // points a second
const ZOOM = 1.5, LARGEST = 240;
const CELL = 5;           // seconds that stand for a bar where none is known
const FIRST_SEEN = 6;     // bars seen at first at least
const BEFORE = 2;         // bars before the join from which it is played
const FADE = .012;        // seconds, so that nothing clicks
const KEPT = 1200;        // seconds of decoded sound that are kept; each takes 0.2 MB
const BLACK_KEYS = [1, 3, 6, 8, 10];

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const timeText = seconds => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);
const find = selector => document.querySelector(selector);

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes))
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  made.append(...children.filter(child => child !== null));
  return made;
}

function say(text) { find("#said").textContent = text; }

// --- stars: kept where the browser allows it, for as long as the page is open elsewhere ---------------------------

const stars = {
  kept: new Set(),
  has: id => stars.kept.has(id),
  load: id => { try { if (localStorage.getItem(`serenity-star-${id}`)) stars.kept.add(id); } catch { /* not allowed */ } },
  set: (id, is_on) => {
    stars.kept[is_on ? "add" : "delete"](id);
    try {
      if (is_on) localStorage.setItem(`serenity-star-${id}`, "1");
      else localStorage.removeItem(`serenity-star-${id}`);
    } catch { /* not allowed: it holds until the page is closed */ }
  },
};

// --- groups and songs ---------------------------------------------------------------------------------------------

const groups = [];
let active = null;  // the song that is played next, or now
const songs = () => groups.flatMap(group => group.songs);

function groupOf(data, before = null) {
  const group = {data, songs: [], at: null, loop: null, isLooping: false, from: 0, scale: USUAL, bars: [], first_bar: 1};
  group.overview = element("div", {class: "overview", role: "slider", tabindex: "0", "aria-label": "Place in the song",
                                   "aria-valuemin": "0"}, element("canvas"), element("span", {class: "head"}));
  group.ruler = element("div", {class: "ruler", title: "Drag to repeat a range"},
                        element("canvas"), element("span", {class: "head"}));
  group.takes = element("div", {class: "takes"});
  group.section = element("section", {class: "group"},
    element("div", {class: "titles"}, element("h2", {class: !data.heading && "unseen"}, data.heading || "Songs"),
            data.about ? element("p", {class: "about"}, data.about) : null),
    element("div", {class: "line"}, group.overview, group.ruler), group.takes);
  groups.push(group);
  find("#groups").insertBefore(group.section, before);
  handsOfGroup(group);
  size.observe(group.ruler);
  data.songs.forEach(song => songOf(song, group));
  return group;
}

function songOf(data, group) {
  const song = {...data, data, group, isSeen: false, buffer: null};
  stars.load(song.id);
  const name = data.name;
  song.play = element("button", {class: "play round", type: "button", "aria-pressed": "false", disabled: !data.sound,
                                 "aria-label": `Play ${name}`, onclick: () => toggle(song)});
  song.play.append(...find("#go").cloneNode(true).childNodes);
  song.star = element("button", {class: "star", type: "button", "aria-label": `Star ${name}`,
                                 onclick: () => setStar(song, !stars.has(song.id))}, "★");
  song.roll = element("div", {class: "roll", role: "img", "aria-label": described(data)},
                      element("canvas"), element("span", {class: "head"}));
  const words = data.measures.filter(([, text]) => text).map(([about, text]) =>
    element("li", {title: about}, text));
  const numbers = data.measures.map(([about, text, number]) => element("tr", {},
    element("th", {scope: "row"}, about), element("td", {}, number || text)));
  song.links = element("p", {class: "links"});
  song.article = element("article", {class: `take${data.warning ? " collapsed" : ""}`},
    element("header", {}, song.play, element("h3", {}, name), song.star,
            data.warning ? element("p", {class: "warning"}, data.warning) : null,
            element("p", {class: "facts"}, data.facts)),
    song.roll,
    element("div", {class: "said"}, words.length ? element("ul", {}, ...words) : null,
            numbers.length ? element("details", {}, element("summary", {}, "Numbers"),
                                     element("table", {}, element("tbody", {}, ...numbers))) : null,
            song.links));
  linksOf(song);
  const present = [...new Set(data.pitch)];
  song.low = Math.min(...present) - MARGIN;
  song.high = Math.max(...present) + MARGIN;
  group.songs.push(song);
  group.takes.append(song.article);
  settle(group);
  handsOfSong(song);
  showStar(song);
  eye.observe(song.article);
  activate(active ?? song);
  return song;
}

function linksOf(song) {
  for (const [file, address] of song.data.downloads)
    song.links.append(element("a", {href: address, download: file}, file));
  const sound = song.data.sound && document.getElementById(song.data.sound);
  if (!sound) return;
  const file = `${song.name}.${sound.dataset.kind === "audio/mpeg" ? "mp3" : "wav"}`;
  song.links.append(element("a", {href: "#", download: file, onclick: event => {
    const blob = new Blob([bytesOf(sound)], {type: sound.dataset.kind});
    const address = URL.createObjectURL(blob);
    event.currentTarget.href = address;
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  }}, file));
}

function described(song) {
  const chords = song.chords.map(([start, name]) => `${timeText(start / 1000)} ${name}`).join(", ");
  return `Piano roll of ${song.name}${chords ? `. Chords: ${chords}` : ""}`;
}

// Let all songs of a group share pitches, bars and what is seen of them.
function settle(group) {
  const longest = group.songs.reduce((one, other) => other.bars.length > one.bars.length ? other : one);
  group.seconds = Math.max(...group.songs.map(song => song.seconds));
  group.hasBars = longest.bars.length > 0;
  group.bars = group.hasBars ? longest.bars.map(bar => bar / 1000)
    : Array.from({length: Math.ceil(group.seconds / CELL)}, (_, index) => index * CELL);
  group.first_bar = longest.first_bar;
  group.low = Math.min(...group.songs.map(song => song.low));
  group.high = Math.max(...group.songs.map(song => song.high));
  const missing = Math.max(FEWEST - (group.high - group.low + 1), 0);
  group.low = Math.max(group.low - Math.floor(missing / 2), 0);
  group.high = Math.min(group.high + Math.ceil(missing / 2), 127);
  group.split = group.songs.map(song => song.split).find(split => split !== null) ?? null;
  if (group.at === null) {
    group.at = group.from = joinOf(group);
    const bar = startOf(group, indexOf(group, group.at) + 1) - group.at;
    group.scale = Math.min(USUAL, viewWidth(group) / (FIRST_SEEN * Math.max(bar, 1)));
  }
  group.overview.setAttribute("aria-valuemax", Math.round(group.seconds));
  show(group);
  drawGroup(group);
}

// --- bars ---------------------------------------------------------------------------------------------------------

const NEAR = .03;  // seconds; so near before a bar line, it is the next bar
const indexOf = (group, seconds) =>
  Math.max(group.bars.findLastIndex(bar => bar <= seconds + NEAR), group.bars[0] > seconds + NEAR ? -1 : 0);
const startOf = (group, index) => index < 0 ? 0 : group.bars[index] ?? group.seconds;
const barBefore = (group, seconds) => startOf(group, indexOf(group, seconds - 2 * NEAR));
const numberOf = (group, seconds) => group.first_bar + indexOf(group, seconds);
const ofNumber = (group, number) => clamp(startOf(group, number - group.first_bar), 0, group.seconds);

// Where "from the join" begins: some bars before the bar in which the continuation does.
function joinOf(group) {
  if (group.split === null) return 0;
  return Math.max(startOf(group, indexOf(group, group.split / 1000) - BEFORE), 0);
}

const placeText = (group, seconds) => group.hasBars ? `bar ${numberOf(group, seconds)}, ${timeText(seconds)}` : timeText(seconds);

// --- pictures -----------------------------------------------------------------------------------------------------

function penOf(box) {
  const canvas = box.querySelector("canvas"), width = box.clientWidth, height = box.clientHeight;
  canvas.width = Math.round(width * devicePixelRatio);
  canvas.height = Math.round(height * devicePixelRatio);
  const pen = canvas.getContext("2d");
  pen.scale(devicePixelRatio, devicePixelRatio);
  pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
  return {pen, width, height};
}

// Draw the notes from `from` seconds on, in a box that begins at `top`.
function drawNotes(pen, song, from, scale, width, top, semitone, gap) {
  const colours = [colour("seed"), colour("continuation")], {high} = song.group;
  const until = from + width / scale, {onset, duration, pitch, shade} = song;
  for (let i = 0; i < onset.length && onset[i] / 1000 < until; i++) {
    if ((onset[i] + duration[i]) / 1000 < from) continue;
    pen.globalAlpha = shade[i] / 100;
    pen.fillStyle = colours[Number(song.split !== null && onset[i] >= song.split)];
    pen.fillRect((onset[i] / 1000 - from) * scale, top + (high - pitch[i]) * semitone,
                 Math.max(duration[i] / 1000 * scale - gap, 1.5), Math.max(semitone - gap / 2, 1));
  }
  pen.globalAlpha = 1;
}

function drawLoop(pen, group, from, scale, height) {
  if (!group.loop) return;
  pen.fillStyle = colour("loop");
  pen.globalAlpha = group.isLooping ? 1 : .45;
  pen.fillRect((group.loop[0] - from) * scale, 0, (group.loop[1] - group.loop[0]) * scale, height);
  pen.globalAlpha = 1;
}

function label(pen, name, x, y) {
  pen.fillStyle = colour("paper");
  pen.globalAlpha = .8;
  pen.fillRect(x - 2, y - 11, pen.measureText(name).width + 4, 14);
  pen.globalAlpha = 1;
  pen.fillStyle = colour("faint");
  pen.fillText(name, x, y);
}

function drawRoll(song) {
  const {group} = song, {pen, width, height} = penOf(song.roll), {from, scale, low, high} = group;
  const semitone = (height - BAND) / (high - low + 1);
  const bottom = pitch => BAND + (high - pitch + 1) * semitone;
  pen.fillStyle = colour("key");
  for (let pitch = low; pitch <= high; pitch++)
    if (BLACK_KEYS.includes(pitch % 12)) pen.fillRect(0, bottom(pitch) - semitone, width, semitone);
  drawLoop(pen, group, from, scale, height);
  pen.fillStyle = colour("bar");
  for (const bar of group.bars) if (bar < song.seconds) pen.fillRect((bar - from) * scale, 0, 1, height);
  pen.fillStyle = colour("octave");
  for (let pitch = Math.ceil(low / 12) * 12; pitch <= high; pitch += 12) pen.fillRect(0, bottom(pitch), width, 1);
  drawNotes(pen, song, from, scale, width, BAND, semitone, 1);
  if (song.split !== null) {
    pen.fillStyle = colour("continuation");
    pen.fillRect((song.split / 1000 - from) * scale, 0, 1.5, height);
  }
  for (let pitch = Math.ceil(low / 12) * 12; pitch <= high; pitch += 12)
    if (bottom(pitch) > BAND + 14) label(pen, `C${pitch / 12 - 1}`, 4, bottom(pitch) - 3);
  pen.fillStyle = colour("ink");
  let free = -Infinity;
  for (const [start, name] of song.chords) {
    const x = (start / 1000 - from) * scale + 4;
    if (x < free) continue;
    if (x > -LABEL && x < width) pen.fillText(name, x, 14);
    free = x + pen.measureText(name).width + 8;
  }
}

function drawRuler(group) {
  const {pen, width, height} = penOf(group.ruler), {from, scale} = group;
  drawLoop(pen, group, from, scale, height);
  let free = -Infinity;
  group.bars.forEach((bar, index) => {
    const x = (bar - from) * scale;
    pen.fillStyle = colour("octave");
    pen.fillRect(x, height - 5, 1, 5);
    if (x < free) return;
    free = x + LABEL;
    pen.fillStyle = colour("faint");
    const name = group.hasBars ? group.first_bar + index : timeText(bar);
    if (x > -LABEL && x < width) pen.fillText(name, x + 4, height - 9);
  });
}

function drawOverview(group) {
  const song = active && active.group === group ? active : group.songs[0];
  if (!song) return;
  const {pen, width, height} = penOf(group.overview), scale = width / group.seconds;
  drawLoop(pen, group, 0, scale, height);
  drawNotes(pen, song, 0, scale, width, 2, (height - 4) / (group.high - group.low + 1), 0);
  const seen = viewWidth(group) / group.scale;
  if (seen < group.seconds) {
    pen.strokeStyle = colour("faint");
    pen.strokeRect(group.from * scale + .5, .5, seen * scale - 1, height - 1);
  }
}

function drawGroup(group) {
  if (group.waits || !group.songs.length) return;
  group.waits = true;
  requestAnimationFrame(() => {
    group.waits = false;
    drawRuler(group);
    drawOverview(group);
    group.songs.filter(song => song.isSeen).forEach(drawRoll);
    show(group);
  });
}

// --- what is seen of the time line --------------------------------------------------------------------------------

const viewWidth = group => group.ruler.clientWidth || 600;

function look(group, from, scale = group.scale) {
  group.scale = clamp(scale, viewWidth(group) / group.seconds, LARGEST);
  group.from = clamp(from, 0, Math.max(group.seconds - viewWidth(group) / group.scale, 0));
  drawGroup(group);
}

function zoom(group, factor) {
  const x = clamp(group.at - group.from, 0, viewWidth(group) / group.scale), scale = group.scale * factor;
  look(group, group.at - x * group.scale / clamp(scale, viewWidth(group) / group.seconds, LARGEST), scale);
}

// Show where a group's clock stands; if it left what is seen, turn the page.
function show(group, turns = false) {
  const width = viewWidth(group), seen = width / group.scale;
  if (turns && (group.at < group.from || group.at > group.from + seen)) look(group, group.at - seen / 10);
  const x = (group.at - group.from) * group.scale, isSeen = x >= 0 && x <= width;
  for (const head of group.section.querySelectorAll(".ruler .head, .roll .head")) {
    head.style.transform = `translateX(${x}px)`;
    head.style.visibility = isSeen ? "visible" : "hidden";
  }
  const {overview} = group;
  overview.querySelector(".head").style.transform = `translateX(${group.at / group.seconds * overview.clientWidth}px)`;
  overview.setAttribute("aria-valuenow", Math.round(group.at));
  overview.setAttribute("aria-valuetext", placeText(group, group.at));
  if (active && active.group === group)
    find("#where span").textContent = `${placeText(group, group.at)} / ${timeText(active.seconds)}`;
}

// --- sound --------------------------------------------------------------------------------------------------------

let context = null;   // made when it is first needed: browsers allow sound only after the user has touched the page
let playing = null;   // {song, source, gain, started: of the context, from: of the song}
let wanted = 0;       // counts the requests to play: a sound that is decoded too late is not played

const bytesOf = sound => Uint8Array.from(atob(sound.textContent), letter => letter.charCodeAt(0));

async function contentOf(song) {
  const inPage = document.getElementById(song.sound);
  if (inPage) return bytesOf(inPage).buffer;
  const answer = await fetch(song.sound);
  if (!answer.ok) throw new Error(await answer.text());
  return answer.arrayBuffer();
}

async function bufferOf(song) {
  context ??= new AudioContext();
  song.buffer ??= contentOf(song).then(content => context.decodeAudioData(content)).catch(error => {
    song.buffer = null;
    throw error;
  });
  kept.delete(song);
  kept.add(song);
  let seconds = 0;
  for (const other of [...kept].reverse()) {
    seconds += other.seconds;
    if (seconds > KEPT && other !== song) { other.buffer = null; kept.delete(other); }
  }
  return song.buffer;
}
const kept = new Set();  // songs whose sound is decoded, the one heard last at the end

function now() {
  if (!playing) return active.group.at;
  const {song: {group}, started, from, loop} = playing, at = from + Math.max(context.currentTime - started, 0);
  return loop && at >= loop[1] ? loop[0] + (at - loop[1]) % (loop[1] - loop[0]) : at;
}

async function play(song) {
  const ask = ++wanted, {group} = song;
  if (!song.sound) return;
  if (playing) group.at = playing.song.group === group ? now() : group.at;
  activate(song);
  song.play.classList.add("waits");
  try {
    const buffer = await bufferOf(song);
    await context.resume();
    if (ask === wanted) start(song, buffer);
  } catch (error) {
    if (ask === wanted) say(`${song.name} cannot be played: ${error.message}`);
  } finally {
    song.play.classList.remove("waits");
  }
}

function start(song, buffer) {
  const {group} = song, end = Math.min(buffer.duration, song.seconds), loop = loopOf(group, end);
  if (playing) group.at = playing.song.group === group ? now() : group.at;
  silence();
  if (loop && (group.at < loop[0] || group.at >= loop[1])) group.at = loop[0];
  if (group.at > end - .1) group.at = 0;
  const source = new AudioBufferSourceNode(context, {buffer}), gain = new GainNode(context, {gain: 0});
  if (loop) Object.assign(source, {loop: true, loopStart: loop[0], loopEnd: loop[1]});
  source.connect(gain).connect(context.destination);
  gain.gain.setTargetAtTime(1, context.currentTime, FADE / 3);
  playing = {song, source, gain, loop, started: context.currentTime, from: group.at};
  source.addEventListener("ended", () => {
    if (playing?.source !== source) return;
    playing = null;
    seek(group, joinOf(group));
    showState();
  });
  source.start(0, group.at);
  showState();
  everyFrame();
}

function loopOf(group, end) {
  if (!group.loop || !group.isLooping || group.loop[0] > end - .1) return null;
  return [group.loop[0], Math.min(group.loop[1], end)];
}

function silence() {
  if (!playing) return;
  const {gain, source} = playing;
  gain.gain.setTargetAtTime(0, context.currentTime, FADE / 3);
  source.stop(context.currentTime + FADE);
  playing = null;
}

function pause() {
  wanted++;
  if (playing) playing.song.group.at = now();
  silence();
  showState();
}

function toggle(song) {
  if (playing?.song === song) pause();
  else play(song);
}

// Make a change heard at once: a new place, a new range.
function restart() {
  if (!playing) return;
  const {song} = playing;
  song.buffer.then(buffer => { if (playing?.song === song) start(song, buffer); });
}

function seek(group, seconds) {
  const place = clamp(seconds, 0, group.seconds - .05);
  if (playing?.song.group === group) {
    const {song} = playing;
    silence();
    group.at = place;
    play(song);
  }
  group.at = place;
  show(group, true);
}

function everyFrame() {
  if (!playing) return;
  const {group} = playing.song, before = group.at, edge = group.from + viewWidth(group) / group.scale;
  group.at = Math.min(now(), group.seconds);
  const passes = before <= edge && group.at > edge, wraps = group.at < before && group.at < group.from;
  show(group, passes || wraps);
  requestAnimationFrame(everyFrame);
}

// --- the player ---------------------------------------------------------------------------------------------------

function activate(song) {
  const before = active;
  active = song;
  find("#player").hidden = false;
  for (const other of songs()) other.article.toggleAttribute("data-active", other === song);
  if (before !== song) {
    if (before) drawGroup(before.group);
    drawGroup(song.group);
  }
  showState();
}

function showState() {
  if (!active) return;
  const {group} = active, isOn = playing?.song === active;
  for (const song of songs()) song.play.setAttribute("aria-pressed", playing?.song === song);
  find("#go").setAttribute("aria-pressed", isOn);
  find("#go").setAttribute("aria-label", isOn ? "Pause" : "Play");
  find("#go").disabled = find("#join").disabled = !active.sound;
  find("#join").hidden = group.split === null;
  find("#where b").textContent = active.name;
  find("#others").hidden = group.songs.length < 2;
  const [button, ...labels] = find("#loop").children;
  button.setAttribute("aria-pressed", group.isLooping && group.loop !== null);
  const range = group.loop ?? [group.at, group.at];
  labels.forEach((label, index) => {
    const input = label.querySelector("input");
    label.hidden = !group.hasBars;
    input.min = group.first_bar + (group.bars[0] > NEAR ? -1 : 0);
    input.max = group.first_bar + group.bars.length - 1;
    if (document.activeElement !== input)
      input.value = group.loop ? numberOf(group, range[index] - (index ? 2 * NEAR : 0)) : "";
  });
  show(group);
}

// Repeat a range of whole bars; null: none.
function setLoop(group, range, isLooping = true) {
  group.loop = range && range[1] - range[0] > .2 ? range : null;
  group.isLooping = Boolean(group.loop) && isLooping;
  drawGroup(group);
  showState();
  if (playing?.song.group === group) restart();
}

// Let a range begin (edge 0) or end (edge 1) with a bar.
function setEdge(group, edge, number) {
  const bars = group.loop ? [numberOf(group, group.loop[0]), numberOf(group, group.loop[1] - 2 * NEAR)] : [number, number];
  bars[edge] = number;
  setLoop(group, barsBetween(group, Math.min(bars[0], number), Math.max(bars[1], number)));
}

const barsBetween = (group, first, last) => [ofNumber(group, first), ofNumber(group, last + 1)];

function toggleLoop(group) {
  if (group.loop) setLoop(group, group.loop, !group.isLooping);
  else setLoop(group, barsBetween(group, numberOf(group, group.at), numberOf(group, group.at) + 1));
}

function fromTheJoin() {
  const {group} = active;
  if (group.isLooping) setLoop(group, group.loop, false);
  seek(group, joinOf(group));
  if (!playing) play(active);
}

// Change to the next take, which goes on at the same place.
function change(by) {
  const {group} = active, shown = group.songs.filter(song => !song.article.hidden);
  const next = shown[shown.indexOf(active) + by];
  if (!next) return;
  if (playing) play(next);
  else activate(next);
  next.article.scrollIntoView({block: "nearest"});
  say(next.name);
}

function setStar(song, isOn) {
  stars.set(song.id, isOn);
  showStar(song);
}

function showStar(song) {
  song.star.setAttribute("aria-pressed", stars.has(song.id));
  song.article.toggleAttribute("data-starred", stars.has(song.id));
}

// --- hands --------------------------------------------------------------------------------------------------------

function handsOfGroup(group) {
  const {overview, ruler} = group;
  const secondsAt = (event, box) => {
    const {left, width} = box.getBoundingClientRect(), x = event.clientX - left;
    return box === overview ? x / width * group.seconds : group.from + x / group.scale;
  };
  const hold = (box, move, begin = move) => {
    box.addEventListener("pointerdown", event => {
      if (event.button) return;
      box.setPointerCapture(event.pointerId);
      if (active?.group !== group) activate(group.songs[0]);
      begin(secondsAt(event, box));
    });
    box.addEventListener("pointermove", event => { if (box.hasPointerCapture(event.pointerId)) move(secondsAt(event, box)); });
  };
  hold(overview, seconds => seek(group, seconds));
  let anchor = 0, range = null;
  hold(ruler, seconds => {
    const ends = [anchor, seconds].sort((one, other) => one - other);
    if (!range && Math.abs(seconds - anchor) * group.scale < 6) return;
    range = barsBetween(group, numberOf(group, ends[0]), numberOf(group, ends[1]));
    group.loop = range;
    group.isLooping = true;
    drawGroup(group);
  }, seconds => { anchor = seconds; range = null; });
  ruler.addEventListener("pointerup", () => {
    if (range) setLoop(group, range);
    else {
      if (group.loop && (anchor < group.loop[0] || anchor > group.loop[1])) setLoop(group, null);
      seek(group, barBefore(group, anchor + 2 * NEAR));
    }
  });
  group.section.addEventListener("wheel", event => {
    if (event.ctrlKey || !event.target.closest(".roll, .line")) return;
    const by = event.deltaX || (event.shiftKey ? event.deltaY : 0);
    if (!by) return;
    event.preventDefault();
    look(group, group.from + by / group.scale);
  }, {passive: false});
}

function handsOfSong(song) {
  const {roll, group} = song;
  let down = null;
  roll.addEventListener("pointerdown", event => {
    down = {x: event.clientX, from: group.from, moved: false};
    roll.setPointerCapture(event.pointerId);
  });
  roll.addEventListener("pointermove", event => {
    if (!down) return;
    down.moved ||= Math.abs(event.clientX - down.x) > 5;
    if (down.moved) look(group, down.from - (event.clientX - down.x) / group.scale);
  });
  roll.addEventListener("pointercancel", () => { down = null; });
  roll.addEventListener("pointerup", event => {
    if (down && !down.moved) {
      if (playing && playing.song !== song) play(song);
      else if (!playing) activate(song);
      seek(group, group.from + (event.clientX - roll.getBoundingClientRect().left) / group.scale);
    }
    down = null;
  });
}

find("#go").addEventListener("click", () => toggle(active));
find("#join").addEventListener("click", fromTheJoin);
find("#previous").addEventListener("click", () => change(-1));
find("#next").addEventListener("click", () => change(1));
find("#loop button").addEventListener("click", () => toggleLoop(active.group));
["#loop-from", "#loop-to"].forEach((name, edge) => find(name).addEventListener("change", event => {
  const number = Math.round(event.target.valueAsNumber), input = event.target;
  if (Number.isFinite(number)) setEdge(active.group, edge, clamp(number, Number(input.min), Number(input.max)));
  else setLoop(active.group, null);
}));
[...find("#zoom").children].forEach((button, index) =>
  button.addEventListener("click", () => zoom(active.group, index ? ZOOM : 1 / ZOOM)));

document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.altKey || event.metaKey || !active) return;
  const isWriting = event.target.closest("input, select, textarea");
  if (isWriting && (event.key !== " " || event.target.type !== "number")) return;
  const own = active, {group} = own, index = indexOf(group, group.at), number = numberOf(group, group.at);
  const actions = {
    " ": () => toggle(own),
    ArrowLeft: () => seek(group, barBefore(group, group.at)),
    ArrowRight: () => seek(group, startOf(group, index + 1)),
    ArrowUp: () => change(-1),
    ArrowDown: () => change(1),
    Home: () => seek(group, 0),
    End: () => seek(group, startOf(group, group.bars.length - 1)),
    j: fromTheJoin,
    s: () => setStar(own, !stars.has(own.id)),
    "[": () => setEdge(group, 0, number),
    "]": () => setEdge(group, 1, number),
    l: () => toggleLoop(group),
  };
  const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  const isOwn = event.key === " " ? event.target.closest("button, a, summary")
    : /^(Home|End)$/.test(event.key) && !event.target.closest(".group, #player");
  if (!action || isOwn) return;
  event.preventDefault();
  action();
});

// Only songs near the visible part have pictures: a page may have a hundred songs.
const eye = new IntersectionObserver(entries => entries.forEach(({target, isIntersecting}) => {
  const song = songs().find(song => song.article === target);
  if (!song) return;
  song.isSeen = isIntersecting;
  if (isIntersecting) drawGroup(song.group);
  else song.roll.querySelector("canvas").width = song.roll.querySelector("canvas").height = 0;
}), {rootMargin: "300px"});
const size = new ResizeObserver(entries => entries.forEach(({target}) => {
  const group = groups.find(group => group.ruler === target);
  if (!group?.songs.length) return;
  const wasSeen = group.at >= group.from && group.at <= group.from + group.width / group.scale;
  group.width = viewWidth(group);
  look(group, group.from);
  if (wasSeen) show(group, true);
}));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => groups.forEach(drawGroup));

for (const group of JSON.parse(find("#data").textContent)) groupOf(group);

"use strict";
// One <audio> for the whole page: browsers allow only some dozens of them, and a page may hold more songs. A song's
// sound is made of its text when it is played. Songs of one clock stand at one place of one time line.

const SCALE = 40;      // points a second in a roll
const FEWEST = 24;     // pitches shown at least
const MARGIN = 2;      // pitches above and below the notes
const LABEL = 44;      // points between two labels at least
const STEP = 5;        // seconds an arrow key moves
const BLACK_KEYS = [1, 3, 6, 8, 10];

const audio = document.querySelector("audio");
let current = null;    // the song whose sound `audio` holds
let isPlaced = false;  // whether `audio` stands where the song's clock does

const text = seconds => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

// --- songs --------------------------------------------------------------------------------------------------------

function songOf(article, clock) {
  const find = selector => article.querySelector(selector);
  const data = JSON.parse(find(".data").textContent);
  const song = {
    ...data, article, clock, sound: find(".sound"), play: find(".play"), strip: find(".strip"), time: find(".time"),
    roll: find(".roll"), length: find(".length"), heads: [find(".strip .head"), find(".roll .head")], isSeen: false,
  };
  song.low = Math.min(...[...new Set(data.pitch)]) - MARGIN;
  song.high = Math.max(...[...new Set(data.pitch)]) + MARGIN;
  const missing = Math.max(FEWEST - (song.high - song.low + 1), 0);
  song.low = Math.max(song.low - Math.floor(missing / 2), 0);
  song.high = Math.min(song.high + Math.ceil(missing / 2), 127);
  song.length.style.width = `${song.seconds * SCALE}px`;
  clock.songs.push(song);
  return song;
}

const songs = [];
for (const group of document.querySelectorAll(".songs")) {
  const shared = {at: 0, songs: []};
  for (const article of group.querySelectorAll("article"))
    songs.push(songOf(article, "together" in group.dataset ? shared : {at: 0, songs: []}));
}

// --- pictures -----------------------------------------------------------------------------------------------------

function penOf(canvas, width, height) {
  canvas.width = Math.round(width * devicePixelRatio);
  canvas.height = Math.round(height * devicePixelRatio);
  const pen = canvas.getContext("2d");
  pen.scale(devicePixelRatio, devicePixelRatio);
  return pen;
}

// Draw the notes of [from, from + width / scale) seconds.
function drawNotes(pen, song, from, scale, width, semitone, gap) {
  const colours = [colour("seed"), colour("continuation")];
  const until = from + width / scale, {onset, duration, pitch, shade} = song;
  for (let i = 0; i < onset.length && onset[i] / 1000 < until; i++) {
    if ((onset[i] + duration[i]) / 1000 < from) continue;
    pen.globalAlpha = shade[i] / 100;
    pen.fillStyle = colours[Number(song.split !== null && onset[i] >= song.split)];
    const length = Math.max(duration[i] / 1000 * scale - gap, 1.5);
    pen.fillRect((onset[i] / 1000 - from) * scale, (song.high - pitch[i]) * semitone,
                 length, Math.max(semitone - gap / 2, 1));
  }
  pen.globalAlpha = 1;
}

// Let what cannot be heard step back.
function veil(pen, from, width, height) {
  pen.globalAlpha = .6;
  pen.fillStyle = colour("paper");
  if (from < width) pen.fillRect(Math.max(from, 0), 0, width, height);
  pen.globalAlpha = 1;
}

function drawRoll(song) {
  const width = song.roll.clientWidth, height = song.roll.clientHeight, canvas = song.roll.querySelector("canvas");
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const pen = penOf(canvas, width, height);
  const from = song.roll.scrollLeft / SCALE, until = from + width / SCALE;
  const semitone = height / (song.high - song.low + 1);
  const bottom = pitch => (song.high - pitch + 1) * semitone;
  pen.fillStyle = colour("paper");
  pen.fillRect(0, 0, width, height);
  pen.fillStyle = colour("key");
  for (let pitch = song.low; pitch <= song.high; pitch++)
    if (BLACK_KEYS.includes(pitch % 12)) pen.fillRect(0, bottom(pitch) - semitone, width, semitone);
  pen.fillStyle = colour("bar");
  for (const bar of song.bars) pen.fillRect((bar / 1000 - from) * SCALE, 0, 1, height);
  pen.fillStyle = colour("octave");
  for (let pitch = Math.ceil(song.low / 12) * 12; pitch <= song.high; pitch += 12)
    pen.fillRect(0, bottom(pitch), width, 1);
  drawNotes(pen, song, from, SCALE, width, semitone, 1);
  veil(pen, (endOf(song) - from) * SCALE, width, height);
  if (song.split !== null) {
    pen.fillStyle = colour("continuation");
    pen.fillRect((song.split / 1000 - from) * SCALE, 0, 1, height);
  }
  // Names of octaves at the left; numbers of bars, or else times, at the top: over the notes, on a veil of paper.
  pen.font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const label = (name, x, y) => {
    pen.globalAlpha = .75;
    pen.fillStyle = colour("paper");
    pen.fillRect(x - 2, y - 10, pen.measureText(name).width + 4, 13);
    pen.globalAlpha = 1;
    pen.fillStyle = colour("faint");
    pen.fillText(name, x, y);
  };
  let free = -Infinity;
  song.bars.forEach((bar, index) => {
    const x = (bar / 1000 - from) * SCALE;
    if (x < free) return;
    free = x + LABEL;
    if (x > -LABEL && x < width) label(index + 1, x + 4, 12);
  });
  if (!song.bars.length)
    for (let second = Math.floor(from / STEP) * STEP; second < until; second += STEP)
      label(text(second), (second - from) * SCALE + 4, 12);
  for (let pitch = Math.ceil(song.low / 12) * 12; pitch <= song.high; pitch += 12)
    if (bottom(pitch) > 26) label(`c${pitch / 12 - 1}`, 4, bottom(pitch) - 3);
}

function drawStrip(song) {
  const width = song.strip.clientWidth, height = song.strip.clientHeight;
  const pen = penOf(song.strip.querySelector("canvas"), width, height);
  pen.fillStyle = colour("key");
  pen.fillRect(0, 0, width, height);
  drawNotes(pen, song, 0, width / song.seconds, width, height / (song.high - song.low + 1), 0);
  veil(pen, endOf(song) / song.seconds * width, width, height);
  const seen = song.roll.clientWidth / SCALE / song.seconds;
  if (seen < 1) {
    pen.strokeStyle = colour("faint");
    pen.strokeRect(song.roll.scrollLeft / SCALE / song.seconds * width + .5, .5, seen * width - 1, height - 1);
  }
}

function draw(song) {
  if (!song.isSeen) return;
  drawRoll(song);
  drawStrip(song);
}

// --- time ---------------------------------------------------------------------------------------------------------

const endOf = song => song.sound ? song.sound_seconds : song.seconds;

// Show where a clock stands, in all songs that go by it.
function show(clock, turnsPages) {
  for (const song of clock.songs) {
    const at = Math.min(clock.at, endOf(song)), x = at * SCALE, {roll, strip} = song;
    song.heads[0].style.transform = `translateX(${at / song.seconds * strip.clientWidth}px)`;
    song.heads[1].style.transform = `translateX(${x}px)`;
    song.time.textContent = `${text(at)} / ${text(endOf(song))}`;
    strip.setAttribute("aria-valuenow", Math.round(at));
    strip.setAttribute("aria-valuetext", `${text(at)} of ${text(endOf(song))}`);
    if (turnsPages && (x < roll.scrollLeft || x > roll.scrollLeft + roll.clientWidth))
      roll.scrollLeft = x - roll.clientWidth / 10;
  }
}

function seek(song, seconds) {
  song.clock.at = clamp(seconds, 0, endOf(song));
  if (isPlaced && current.clock === song.clock) audio.currentTime = song.clock.at;
  show(song.clock, true);
}

function play(song) {
  if (song.clock.at > endOf(song) - .1) song.clock.at = 0;
  if (song !== current) {
    const bytes = Uint8Array.from(atob(song.sound.textContent), letter => letter.charCodeAt(0));
    audio.pause();
    URL.revokeObjectURL(audio.src);
    current = song;
    isPlaced = false;
    audio.src = URL.createObjectURL(new Blob([bytes], {type: song.sound.dataset.kind}));
  } else {
    audio.currentTime = song.clock.at;
  }
  audio.play().catch(error => {
    if (error.name !== "AbortError") song.time.textContent = "this browser cannot play it";
  });
}

function toggle(song) {
  if (song === current && !audio.paused) audio.pause();
  else play(song);
}

let before = 0;  // where the page turned last: it turns only when the playhead passes the edge, not when a hand scrolls
function follow() {
  if (!isPlaced || audio.seeking) return;
  const {clock, roll} = current;
  clock.at = audio.currentTime;
  const edge = (roll.scrollLeft + roll.clientWidth) / SCALE;
  show(clock, before <= edge && clock.at > edge);
  before = clock.at;
}

function everyFrame() {
  follow();
  if (!audio.paused) requestAnimationFrame(everyFrame);
}

function showState() {
  for (const song of songs) song.play.setAttribute("aria-pressed", song === current && !audio.paused);
}

audio.addEventListener("loadedmetadata", () => {
  audio.currentTime = current.clock.at;
  isPlaced = true;
});
audio.addEventListener("play", () => { showState(); everyFrame(); });
audio.addEventListener("pause", showState);
audio.addEventListener("ended", () => { seek(current, 0); showState(); });

// --- hands --------------------------------------------------------------------------------------------------------

for (const song of songs) {
  const {strip, roll} = song;
  song.play.addEventListener("click", () => toggle(song));
  const seekInStrip = event => {
    const box = strip.getBoundingClientRect();
    seek(song, (event.clientX - box.left) / box.width * song.seconds);
  };
  strip.addEventListener("pointerdown", event => { strip.setPointerCapture(event.pointerId); seekInStrip(event); });
  strip.addEventListener("pointermove", event => { if (strip.hasPointerCapture(event.pointerId)) seekInStrip(event); });
  roll.addEventListener("click", event =>
    seek(song, (event.clientX - roll.getBoundingClientRect().left + roll.scrollLeft) / SCALE));
  let waits = false;
  roll.addEventListener("scroll", () => {
    if (!waits) requestAnimationFrame(() => { waits = false; draw(song); });
    waits = true;
  });
}

document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const article = event.target.closest("article");
  const song = songs.find(song => song.article === article) ?? current ?? songs.find(song => song.sound) ?? songs[0];
  const actions = {
    " ": () => song.sound && toggle(song),
    ArrowLeft: () => seek(song, song.clock.at - STEP),
    ArrowRight: () => seek(song, song.clock.at + STEP),
    Home: () => seek(song, 0),
    End: () => seek(song, endOf(song)),
  };
  const isOwn = event.key === " " ? event.target.closest("button") : /^(Home|End)$/.test(event.key) && !article;
  if (!(event.key in actions) || isOwn) return;
  event.preventDefault();
  actions[event.key]();
});

// Only what is near the eye holds pictures: a page may have a hundred songs.
const eye = new IntersectionObserver(entries => entries.forEach(({target, isIntersecting}) => {
  const song = songs.find(song => song.article === target);
  song.isSeen = isIntersecting;
  if (isIntersecting) draw(song);
  else for (const canvas of target.querySelectorAll("canvas")) canvas.width = canvas.height = 0;
}), {rootMargin: "300px"});
const ruler = new ResizeObserver(entries => entries.forEach(({target}) => {
  const song = songs.find(song => song.roll === target);
  draw(song);
  show(song.clock, false);
}));
for (const song of songs) {
  eye.observe(song.article);
  ruler.observe(song.roll);
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => songs.forEach(draw));

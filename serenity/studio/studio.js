
// --- the studio: the server tells the page what to show, and the page asks it for what is new ----------------------

let latest = {steps: [], starred: [], making: null};
const drawn = new Map();   // number of a step -> its group
const data = new Map();    // address of a song -> promise of its data
let turn = Promise.resolve();
let offered = null;        // the take that is active because it stands first: nobody has chosen another yet

async function ask(address, body = {}) {
  const isFile = body instanceof Blob;
  const answer = await fetch(address, {method: "POST", body: isFile ? body : JSON.stringify(body),
                                       headers: {"Content-Type": isFile ? "application/octet-stream" : "application/json"}});
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

function attempt(promise) {
  complain("");
  return promise.catch(error => complain(error.message || "The studio does not answer."));
}

function complain(text) {
  find("#problem").hidden = !text;
  find("#problem").textContent = text;
}

function dataOf(address) {
  if (!data.has(address))
    data.set(address, fetch(address).then(answer => answer.ok ? answer.json() : Promise.reject(new Error(address))));
  return data.get(address);
}

// --- what is seen -------------------------------------------------------------------------------------------------

async function render(state) {
  const before = latest;
  latest = state;
  showMaking(state);
  if (state.problem && state.problem !== before.problem) complain(state.problem);
  stars.kept = new Set();
  for (const [number, group] of drawn)
    if (!state.steps.some(step => step.number === number)) removeGroup(number, group);
  for (const step of state.steps) await renderStep(step);  // each above the one before
  songs().forEach(showStar);
}

async function renderStep(step) {
  let group = drawn.get(step.number);
  const isNew = !group;
  if (isNew) {
    group = groupOf({heading: step.heading, about: step.about, songs: []}, find("#groups").firstChild);
    group.first_new = step.first_bar;
    drawn.set(step.number, group);
    group.section.querySelector(".titles").after(element("details", {class: "report"},
      element("summary", {}, "What was read"), element("ul", {}, ...step.report.map(line => element("li", {}, line)))));
  }
  const addresses = step.takes.length ? step.takes.map(number => `takes/${number}`) : [`steps/${step.number}`];
  const old = group.songs.filter(song => !addresses.includes(song.address));
  for (const [place, address] of addresses.entries()) {
    let song = group.songs.find(song => song.address === address);
    if (!song) {
      song = songOf(await dataOf(address), group);
      song.address = address;
      song.number = Number(address.split("/")[1]);
      if (address.startsWith("takes")) addGoOn(song, group);
      else song.star.hidden = true;
      if (latest.starred.includes(song.number) && step.takes.length) stars.kept.add(song.id);
      say(`${song.name} is there`);
    }
    if (step.takes.length && latest.starred.includes(song.number)) stars.kept.add(song.id);
    if (group.takes.children[place] !== song.article)
      group.takes.insertBefore(song.article, group.takes.children[place] ?? null);
  }
  if (old.length && step.takes.length && !playing) group.at = null;  // the first takes: to the join
  const isFirst = old.includes(active) || isNew && latest.steps.at(-1).number === step.number;
  old.forEach(removeSong);
  group.songs.sort((one, other) => addresses.indexOf(one.address) - addresses.indexOf(other.address));
  if (playing) offered = null;
  else if (isFirst || offered && offered === active && active.group === group) activate(offered = group.songs[0]);
  settle(group);
}

function removeSong(song) {
  if (playing?.song === song) pause();
  const {group} = song;
  group.songs.splice(group.songs.indexOf(song), 1);
  eye.unobserve(song.article);
  song.article.remove();
  if (active === song) {
    active = null;
    const next = group.songs[0] ?? songs()[0];
    if (next) activate(next);
    else find("#player").hidden = true;
  }
}

function removeGroup(number, group) {
  groups.splice(groups.indexOf(group), 1);
  [...group.songs].forEach(removeSong);
  size.unobserve(group.ruler);
  group.section.remove();
  drawn.delete(number);
}

function addGoOn(song, group) {
  const last = numberOf(group, song.data.seconds - .2), first = group.first_new;
  const begun = Math.max(numberOf(group, song.split / 1000), first);
  const input = element("input", {type: "number", inputmode: "numeric", min: first, max: last,
                                  value: Math.min(begun + Math.ceil((last - begun) / 2), last),
                                  "aria-label": `Last bar to keep of ${song.name}`});
  const form = element("form", {class: "go-on", onsubmit: event => {
    event.preventDefault();
    const bars = Math.round(input.valueAsNumber) - group.first_new + 1;
    if (Number.isFinite(bars)) attempt(ask(`takes/${song.number}/go-on`, {bars})
      .then(({step}) => make(step)).then(() => scrollTo({top: 0, behavior: "smooth"})));
  }}, element("label", {}, "Keep to bar ", input),
      element("button", {type: "submit", "aria-label": `Go on from ${song.name}`}, "and go on"));
  song.links.after(form);
}

function showMaking({making, steps, can_undo}) {
  find("#make").disabled = !steps.length;
  find("#undo").disabled = !can_undo;
  find("#cancel").hidden = !making;
  const bar = find("#making progress");
  bar.hidden = !making;
  if (making) bar.value = Math.min(making.done / Math.max(making.most, 1), 1);
  const step = steps.find(step => making && step.number === making.step) ?? steps.at(-1);
  const waiting = making?.waiting ? `; ${making.waiting} more ${making.waiting === 1 ? "waits" : "wait"}` : "";
  find("#making span").textContent = making
    ? `${step?.heading ?? ""}: take ${Math.min(making.made + 1, making.takes)} of ${making.takes}${waiting}`
    : step ? `Takes are made of ${step.heading}.` : "Drop a song to begin.";
}

// --- what is asked ------------------------------------------------------------------------------------------------

const make = step => ask("makings", {step, bars: Number(find("#bars").value), takes: Number(find("#count").value),
                                     temperature: Number(find("#bold").value), ending: find("#ending").checked});
const drop = file => attempt(ask(`seeds?name=${encodeURIComponent(file.name)}`, file));

stars.load = () => {};
stars.set = id => {
  const song = songs().find(song => song.id === id);
  attempt(ask(`takes/${song.number}/star`, {on: !latest.starred.includes(song.number)}));
};

find("#order").addEventListener("submit", event => {
  event.preventDefault();
  attempt(make(latest.steps.at(-1).number));
});
find("#cancel").addEventListener("click", () => attempt(ask("cancel")));
find("#undo").addEventListener("click", () => attempt(ask("undo")));
find("#file").addEventListener("change", event => {
  if (event.target.files.length) drop(event.target.files[0]).then(() => { event.target.value = ""; });
});
let over = 0;  // how many elements a dragged file is over: to leave one may be to enter another
for (const name of ["dragenter", "dragover", "dragleave", "drop"])
  document.addEventListener(name, event => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    over += {dragenter: 1, dragleave: -1}[name] ?? 0;
    if (name === "drop") over = 0;
    document.body.toggleAttribute("data-dropping", over > 0);
    if (name === "drop" && event.dataTransfer.files.length) drop(event.dataTransfer.files[0]);
  });

let queued = null;  // the newest state that is not yet drawn: progress comes faster than takes can be fetched
function hear(state) {
  const isQueued = queued !== null;
  queued = state;
  if (isQueued) return;
  turn = turn.then(() => {
    const newest = queued;
    queued = null;
    return render(newest);
  }).catch(error => complain(error.message));
}
const events = new EventSource("events");
events.addEventListener("message", event => hear(JSON.parse(event.data)));
events.addEventListener("error", () => { find("#making span").textContent = "The studio has ended, or does not answer."; });

// What a page cannot do without a script: a list as long as its folder, choosing in it, and the keyboard.
"use strict";

const main = document.querySelector("main");
const rows = document.getElementById("rows");
const chosen = new Set();
let focused = -1;

if (matchMedia("(max-width: 46rem)").matches) document.getElementById("folders")?.removeAttribute("open");

// The list has its full height from the beginning; blocks of it come when they are scrolled to, and go again.
function longList() {
  const total = Number(rows.dataset.total), size = Number(rows.dataset.size), blocks = new Map();
  const first = rows.querySelector("ol"), height = rows.querySelector("li").offsetHeight;
  document.body.classList.add("scrolls");
  rows.style.height = `${total * height}px`;

  function place(block, at) {
    block.style.position = "absolute";
    block.style.top = `${at * height}px`;
    for (const box of block.querySelectorAll("input")) box.checked = chosen.has(box.value);
    blocks.set(at, block);
    if (focused >= at && focused < at + size) focus(focused);
  }

  async function load(at) {
    blocks.set(at, null);
    const url = new URL(location.href);
    url.searchParams.set("at", at);
    url.searchParams.set("rows", "1");
    try {
      const answer = await fetch(url);
      if (!answer.ok) throw new Error(answer.status);
      const block = document.createElement("template");
      block.innerHTML = await answer.text();
      if (!blocks.has(at)) return;
      rows.append(block.content.firstElementChild);
      place(rows.lastElementChild, at);
    } catch {
      blocks.delete(at);
    }
  }

  function look() {
    const top = main.scrollTop - rows.offsetTop;
    const from = Math.max(0, Math.floor((top / height - size / 2) / size) * size);
    const to = Math.min(total - 1, (top + main.clientHeight) / height + size / 2);
    for (let at = from; at <= to; at += size) if (!blocks.has(at)) load(at);
    for (const [at, block] of blocks) {
      if (block && (at < from - 2 * size || at > to + 2 * size)) {
        block.remove();
        blocks.delete(at);
      }
    }
  }

  function focus(number) {
    focused = Math.max(0, Math.min(total - 1, number));
    const at = Math.floor(focused / size) * size;
    const y = rows.offsetTop + focused * height, bar = document.querySelector(".tools").offsetHeight;
    if (y - bar < main.scrollTop) main.scrollTop = y - bar;
    if (y + height > main.scrollTop + main.clientHeight) main.scrollTop = y + height - main.clientHeight;
    blocks.get(at)?.children[focused - at]?.querySelector("a").focus({ preventScroll: true });
  }

  const begin = Number(first.dataset.at);
  place(first, begin);
  if (begin) main.scrollTop = begin * height;
  let waits = 0;
  main.addEventListener("scroll", () => { waits ||= requestAnimationFrame(() => { waits = 0; look(); }); });
  addEventListener("resize", look);
  look();
  return focus;
}

const focus = rows ? longList() : null;

if (rows) {
  const form = rows.closest("form"), count = document.getElementById("count"), before = count.textContent;
  form.addEventListener("change", ({ target }) => {
    if (target.name !== "id") return;
    chosen[target.checked ? "add" : "delete"](target.value);
    count.textContent = chosen.size ? `${chosen.size} chosen` : before;
  });
  form.addEventListener("formdata", ({ formData }) => {
    formData.delete("id");
    for (const id of chosen) formData.append("id", id);
  });
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const { key, target } = event;
  if (target.matches("input:not([type=checkbox])")) {
    if (key === "Escape") target.blur();
    return;
  }
  const link = document.querySelector(`a[data-key="${CSS.escape(key)}"]`);
  if (key === "/") document.querySelector("input[type=search]").select();
  else if (link) link.click();
  else if (focus && (key === "j" || key === "k")) focus(focused + (key === "j" ? 1 : -1));
  else if (focus && key === "x") document.activeElement.closest("li")?.querySelector("input")?.click();
  else return;
  event.preventDefault();
});

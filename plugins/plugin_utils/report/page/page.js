// SPDX-FileCopyrightText: 2026 Bulwark contributors
// SPDX-License-Identifier: GPL-3.0-or-later
"use strict";
// Filters for a page that is complete without them.
(() => {
  const form = document.getElementById("filters");
  const fields = form.elements;
  const sheet = document.styleSheets[0];
  const matrix = document.querySelector(".matrix");
  const few = matrix.classList.contains("few");
  const sections = [...document.querySelectorAll(".outcome")];
  const controls = [...document.querySelectorAll(".control")].map((element) => ({
    element,
    row: document.getElementById(element.id.replace("c", "r")),
    scope: element.dataset.scope,
    head: element.querySelector("summary").textContent.toLowerCase(),
    entries: [...element.querySelectorAll(".entry")].map((entry) => ({
      element: entry,
      outcome: entry.dataset.outcome,
      severity: entry.dataset.severity,
      hosts: new Set(entry.dataset.hosts.split(" ")),
      text: null,
    })),
  }));
  let column = "";

  const checked = (name) => new Set([...form.querySelectorAll(`[name="${name}"]:checked`)].map((box) => box.value));
  const contains = (entry, text) => {
    entry.text ??= entry.element.textContent.toLowerCase();
    return entry.text.includes(text);
  };

  // One rule is quicker than an attribute on each cell of a hundred columns.
  function showColumn(host) {
    if (host === column) return;
    if (column !== "") sheet.deleteRule(0);
    if (host !== "") sheet.insertRule(`.matrix tr > :not(:first-child, :nth-child(${Number(host) + 2})) { display: none; }`);
    column = host;
    matrix.classList.toggle("few", few || host !== "");
  }

  function apply() {
    const outcomes = checked("outcome");
    const severities = checked("severity");
    const text = fields.text.value.trim().toLowerCase();
    const scope = fields.scope.value;
    const host = fields.host.value;
    let shown = 0;
    for (const control of controls) {
      const named = text === "" || control.head.includes(text);
      let any = false;
      for (const entry of control.entries) {
        const fits =
          (scope === "" || control.scope === scope) &&
          (outcomes.size === 0 || outcomes.has(entry.outcome)) &&
          (severities.size === 0 || severities.has(entry.severity)) &&
          (host === "" || entry.hosts.has(host)) &&
          (named || contains(entry, text));
        entry.element.hidden = !fits;
        any ||= fits;
      }
      control.element.hidden = control.row.hidden = !any;
      shown += any;
    }
    for (const section of sections) {
      const left = section.querySelectorAll(".control:not([hidden])").length;
      section.hidden = left === 0;
      section.querySelector(".count").textContent = left;
    }
    showColumn(host);
    fields.shown.value = `${shown} of ${controls.length} controls`;
  }

  const shownControls = () => controls.filter((control) => !control.element.hidden).map((control) => control.element);
  let timer = 0;
  form.addEventListener("input", (event) => {
    clearTimeout(timer);
    timer = setTimeout(apply, event.target === fields.text ? 150 : 0);
  });
  form.addEventListener("reset", () => setTimeout(apply, 0));
  form.addEventListener("submit", (event) => event.preventDefault());
  fields.expand.addEventListener("click", () => {
    const open = fields.expand.textContent === "Expand all";
    for (const element of shownControls()) element.open = open;
    fields.expand.textContent = open ? "Collapse all" : "Expand all";
  });
  document.querySelector("table.hosts").addEventListener("click", (event) => {
    const link = event.target.closest("a[data-host]");
    if (!link) return;
    fields.host.value = link.dataset.host;
    apply();
  });
  // A browser without ::details-content prints closed details closed.
  let opened = [];
  addEventListener("beforeprint", () => {
    const printed = shownControls().filter((element) => element.closest(".fail, .unknown, .waived"));
    opened = [...document.querySelectorAll(".change"), ...printed].filter((element) => !element.open);
    for (const element of opened) element.open = true;
  });
  addEventListener("afterprint", () => {
    for (const element of opened) element.open = false;
  });
  form.hidden = false;
  apply();
})();

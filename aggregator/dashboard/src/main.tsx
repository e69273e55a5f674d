// The start: who reads, what the address asks for, then the page.

import { render } from "preact";
import { App } from "./app.tsx";
import { comeIn, session, takeFragment } from "./session.ts";
import { facts, place } from "./store.ts";
import "./styles/base.css";
import "./styles/parts.css";
import "./styles/pages.css";

async function start(): Promise<void> {
  takeFragment();
  await comeIn(place.value.site);
  const at = document.getElementById("app");
  if (at) render(<App />, at);
}

// A link that is opened in a tab which is open already.
addEventListener("hashchange", () => {
  if (!location.hash.includes("key=")) return;
  takeFragment();
  void comeIn("");
});

// What is known of one site is not known of another.
let site = "";
session.subscribe((now) => {
  if (now.site !== site) facts.value = undefined;
  site = now.site;
});

void start();

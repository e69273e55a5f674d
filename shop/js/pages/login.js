/** Signing in. */

import { signIn } from "../store.js";
import { signedIn } from "../track.js";
import { show } from "../view.js";
import { word } from "../words.js";

const draw = () => `<form id="login" class="panel narrow"><h1>${word("login")}</h1>
  <p class="hint">${word("login_more")}</p>
  <label>${word("email")}<input name="email" type="email" autocomplete="username" required
    data-testid="login-email" /></label>
  <label>${word("password")}<input name="password" type="password" required
    autocomplete="current-password" data-testid="login-password" /></label>
  <button class="button" data-testid="login-submit">${word("login")}</button></form>`;

show(() => word("login"), draw);

document.addEventListener("submit", async (event) => {
  if (event.target.id !== "login") return;
  event.preventDefault();
  signedIn(await signIn(new FormData(event.target).get("email")));
  // Only a path of this shop: the address may come from a stranger's link.
  const to = new URLSearchParams(location.search).get("to") ?? "/";
  location.assign(/^\/[\w-]*$/.test(to) ? to : "/");
});

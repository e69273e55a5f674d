// One person on two devices: the five steps of a login in two browser profiles, typed into the demo
// shop. Times are those of the run, seconds apart where the example has minutes: what the rules say
// of pauses of up to half an hour is the same for both.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { place } from "./place.mjs";
import { until } from "./system.mjs";

const SETTLED_MS_MAX = 30_000;
const ZONE_MS = 7 * 3_600_000;
const DAY_MS = 86_400_000;
/** The steps take less; a run over midnight would be cut by the new day. */
const RUN_MS_MAX = 60_000;

const PHONE =
  "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) " +
  "Chrome/140.0.0.0 Mobile Safari/537.36";
const WEB_TAGS = "utm_source=facebook&utm_medium=cpc&utm_campaign=sale3";
const APP_TAGS = "utm_source=push&utm_medium=app_push&utm_campaign=flash";
const WEB = { source: "facebook", medium: "cpc", name: "sale3" };
const APP = { source: "push", medium: "app_push", name: "flash" };

const here = place();

const by = (page, id) => page.locator(`[data-testid="${id}"]`);

async function get(path) {
  const headers = { authorization: `Bearer ${here.dev.read_key}` };
  const answer = await fetch(`${here.dev.aggregator}${path}`, { headers });
  assert.equal(answer.status, 200, path);
  return answer.json();
}

const sessionsOf = async (client) => {
  const path = `/v1/sessions?site=${here.dev.site}&client=${client}&include=events`;
  return (await get(path)).results;
};

/** A browser profile of its own that comes to the shop by a tagged link. */
async function arrive(t, tags, options = {}) {
  const context = await here.browser.newContext(options);
  t.after(() => context.close());
  const page = await context.newPage();
  await page.goto(`${here.dev.shop}/?${tags}`);
  const cookies = await context.cookies();
  const client = cookies.find(({ name }) => name === "edgetally_id").value;
  // The collector has it before the next page opens: the time of an event holds what its request
  // spent on the way, and on a busy machine the request of the next page overtakes this one.
  await until("the first view", SETTLED_MS_MAX, async () => (await sessionsOf(client)).length);
  return { page, client };
}

const flush = (page) => page.evaluate(() => window.edgetally("flush"));

async function lookAt(page, product) {
  await page.goto(`${here.dev.shop}/product/${product}`);
  await flush(page);
}

/** Signs in by the shop's form and answers the id that the shop gives the account. */
async function signIn(page, email) {
  await page.goto(`${here.dev.shop}/login`);
  await by(page, "login-email").fill(email);
  await by(page, "login-password").fill("secret");
  await by(page, "login-submit").click();
  await page.waitForURL(`${here.dev.shop}/`);
  await flush(page);
  return page.evaluate(() => JSON.parse(localStorage.getItem("shop_account")).id);
}

/** Waits until the sessions of both clients are as described, and answers them. */
async function expectSessions(what, web, app, expected) {
  let said;
  const isSo = async () => {
    said = { web: await sessionsOf(web.client), app: await sessionsOf(app?.client ?? "nobody") };
    const told = ({ person, start_reason, attributed, clients }) =>
      ({ person, why: start_reason.join(), attributed, clients: clients.length });
    const now = { web: said.web.map(told), app: said.app.map(told) };
    try {
      assert.deepEqual(now, expected);
    } catch (error) {
      said.error = error;
      return false;
    }
    return true;
  };
  await until(what, SETTLED_MS_MAX, isSo).catch((error) => {
    throw said.error ?? error;
  });
  return said;
}

const first = (person, attributed) => ({ person, why: "first", attributed, clients: 1 });

describe("one person on two devices", () => {
  it("is one after the second login, and both devices carry the later campaign", async (t) => {
    const left = DAY_MS - ((Date.now() + ZONE_MS) % DAY_MS);
    if (left < RUN_MS_MAX) await new Promise((resolve) => setTimeout(resolve, left + 1000));

    // 1. The web, anonymous.
    const web = await arrive(t, WEB_TAGS);
    await lookAt(web.page, "lap-14");
    const w = `c:${web.client}`;
    const one = await expectSessions("step 1", web, undefined, { web: [first(w, WEB)], app: [] });
    const w1 = one.web[0].session_id;

    // 2. The app, anonymous, opened from a campaign of its own.
    const app = await arrive(t, APP_TAGS, { userAgent: PHONE });
    await lookAt(app.page, "lamp");
    const d = `c:${app.client}`;
    const apart = { web: [first(w, WEB)], app: [first(d, APP)] };
    const two = await expectSessions("step 2", web, app, apart);
    const d1 = two.app[0].session_id;
    assert.equal(two.web[0].session_id, w1);

    // 3. Login on the app.
    const email = `lan-${Date.now()}@example.com`;
    const user = `u:${await signIn(app.page, email)}`;
    const half = { web: [first(w, WEB)], app: [first(user, APP)] };
    const three = await expectSessions("step 3", web, app, half);
    assert.equal(three.app[0].session_id, d1, "the login keeps the session's id");
    const taken = two.app[0].event_ids;
    assert.deepEqual(three.app[0].event_ids.slice(0, taken.length), taken);

    // 4. Login on the web, same account.
    assert.equal(`u:${await signIn(web.page, email)}`, user);
    const shared = { person: user, why: "campaign", attributed: APP, clients: 2 };
    const joined = { web: [first(user, WEB), shared], app: [shared] };
    const four = await expectSessions("step 4", web, app, joined);
    assert.deepEqual(four.web.map((row) => row.session_id), [w1, d1]);
    assert.deepEqual(four.web[0].event_ids.slice(0, one.web[0].events), one.web[0].event_ids);
    assert.equal(four.app[0].session_id, d1);

    // 5. Both devices continue, and the web buys.
    await by(web.page, "add-lamp").click();
    await lookAt(app.page, "buds-2");
    await web.page.goto(`${here.dev.shop}/checkout`);
    await by(web.page, "phone").fill("0900000000");
    await by(web.page, "address").fill("1 Tràng Tiền");
    await by(web.page, "place-order").click();
    await by(web.page, "order-id").waitFor();
    const order = await by(web.page, "order-id").textContent();
    await flush(web.page);
    const told = await until("the order", SETTLED_MS_MAX, async () => {
      const path = `/v1/orders?site=${here.dev.site}&order=${order}`;
      return (await get(path)).results[0];
    });
    assert.deepEqual(
      { person: told.person, session: told.session_id, campaign: told.credited.campaign },
      { person: user, session: d1, campaign: APP },
    );
    assert.equal(told.credited.event_id, d1);
    const five = await expectSessions("step 5", web, app, joined);
    assert.deepEqual(five.app[0].orders, [order]);
    assert.ok(five.app[0].events > four.app[0].events);
    assert.equal(five.web[0].events, four.web[0].events);

    // Whose what was before, and which logins changed that.
    const person = await get(`/v1/people/${encodeURIComponent(user)}?site=${here.dev.site}`);
    assert.deepEqual(person.clients.toSorted(), [web.client, app.client].toSorted());
    assert.equal(person.session_count, 2);
    const log = person.reassignments.map(({ from, to, because }) => [from, to, because.kind]);
    assert.deepEqual(log, [[d, user, "login"], [w, user, "login"]]);
  });
});

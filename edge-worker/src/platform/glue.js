// What is asked of the platform for every request, in one call each: a call from wasm into the
// platform costs about a microsecond, and so does each text that it hands over.

// No header and no fact holds either of these.
const BETWEEN = "\n";
const ABSENT = "\0";

const HEADERS = [
  "Content-Type",
  "Content-Encoding",
  "Content-Length",
  "Origin",
  "Authorization",
  "User-Agent",
  "Sec-GPC",
  "CF-Connecting-IP",
  "Sec-CH-UA",
  "Sec-CH-UA-Mobile",
  "Sec-CH-UA-Platform",
  "Accept",
  "Accept-Language",
  "Sec-Fetch-Mode",
];

/** URL, headers in the order above, then what the platform knows of the visitor, by lines. */
export function facts(request) {
  const { url, headers, cf } = request;
  let text = url;
  for (const name of HEADERS) text += BETWEEN + (headers.get(name) ?? ABSENT);
  const managed = cf?.botManagement;
  for (const fact of [
    cf?.country, cf?.region, cf?.city, cf?.asn, managed?.score, managed?.verifiedBot || undefined,
    cf?.verifiedBotCategory,
  ]) {
    text += BETWEEN + (fact == null ? ABSENT : String(fact).replaceAll(BETWEEN, " "));
  }
  return text;
}

/** The whole body. */
export function body(request) {
  return request.arrayBuffer();
}

// workerd wraps every function given to its own queueMicrotask, which wasm futures are run by; a
// settled promise does the same for a fraction of it. What is thrown is still reported.
const settled = Promise.resolve();
globalThis.queueMicrotask = (task) => {
  settled.then(() => {
    try {
      task();
    } catch (error) {
      reportError(error);
    }
  });
};

async function post(env, binding, name, locationHint, url, body) {
  const stub = env[binding].getByName(name, locationHint ? { locationHint } : undefined);
  const answer = await stub.fetch(url, { method: "POST", body });
  if (answer.status !== 200) throw new Error(await answer.text());
  return answer;
}

/** What an object answers to a body, as bytes; its refusals are thrown with their text. */
export async function ask(env, binding, name, locationHint, url, body) {
  // The bytes are a view of memory that may be gone after the first await.
  const answer = await post(env, binding, name, locationHint, url, body.slice());
  return answer.arrayBuffer();
}

/** The same of a short answer that came in a header: reading a body would take another round. */
export async function askHead(env, binding, name, locationHint, url, body, header) {
  const answer = await post(env, binding, name, locationHint, url, body.slice());
  return answer.headers.get(header) ?? "";
}

const EXPOSED = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Expose-Headers": "Retry-After, x-plausible-dropped",
  "Cache-Control": "no-store",
  "Content-Type": "application/json",
};

/** An answer of JSON that any page may read. */
export function json(text, status) {
  return new Response(text, { status, headers: EXPOSED });
}

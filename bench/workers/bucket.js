// As much of a bucket as the contestants use, in memory: it answers as R2 does and keeps bodies of
// lists only, which are read again.
const objects = new Map();
const decoder = new TextDecoder();
const encoder = new TextEncoder();
let versions = 0;

function refuse(status, v4code, message) {
  const error = JSON.stringify({ message, version: 1, v4code });
  return new Response(null, { status, headers: { "cf-r2-error": error } });
}

function about(name, { etag, size }) {
  const fields = { uploaded: 0, httpFields: {}, customFields: [], checksums: {} };
  return { name, version: etag, size, etag, ...fields };
}

function answer(value, body = new Uint8Array()) {
  const head = encoder.encode(JSON.stringify(value));
  const bytes = new Uint8Array(head.length + body.length);
  bytes.set(head);
  bytes.set(body, head.length);
  return new Response(bytes, { headers: { "cf-r2-metadata-size": String(head.length) } });
}

function put(name, body, { etagMatches, etagDoesNotMatch } = {}) {
  const held = objects.get(name);
  const fits = !etagMatches || etagMatches.some(({ value }) => value === held?.etag);
  if (!fits || (etagDoesNotMatch && held)) return refuse(412, 10031, "a condition did not hold");
  const etag = (++versions).toString(16).padStart(32, "0");
  const kept = name.endsWith(".json") ? body : undefined;
  const made = { etag, size: body.length, kept };
  objects.set(name, made);
  return answer(about(name, made));
}

export default {
  async fetch(request) {
    const body = new Uint8Array(await request.arrayBuffer());
    const size = Number(request.headers.get("cf-r2-metadata-size"));
    const asked = request.headers.get("cf-r2-request") ?? decoder.decode(body.subarray(0, size));
    const { method, object, onlyIf } = JSON.parse(asked);
    if (method === "put") return put(object, body.slice(size), onlyIf);
    const held = objects.get(object);
    if (method === "get" && held?.kept) return answer(about(object, held), held.kept);
    if (method === "get") return refuse(404, 10007, "there is no such object");
    if (method !== "list") return answer({});
    const listed = [...objects].map(([name, made]) => about(name, made));
    return answer({ objects: listed, truncated: false, delimitedPrefixes: [] });
  },
};

/**
 * Random answers of random servers: whatever comes, a read ends soon, with the right bytes of one version or with an error that says why.
 * `WEBTUNE_FUZZ_INPUTS` servers are tried (default 3000), from `WEBTUNE_FUZZ_SEED` on.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { load, removeBuild } from "./package-under-test.mjs";

const { WebtuneError } = await load("errors");
const { BlobSink } = await load("sources/download");
const { HttpFile, probe } = await load("sources/http-file");

const INPUTS = Number(process.env.WEBTUNE_FUZZ_INPUTS ?? 3000);
const SEED = Number(process.env.WEBTUNE_FUZZ_SEED ?? Date.now() % 2 ** 31);
const AT_ONCE = 100;
/** What a config.json may have, and the piece that was on its way. */
const MOST_BYTES = 1e6 + 2 ** 17;
const MOST_MS = 10_000;
const net = { onBytes: () => undefined, cache: "default", patience: { retries: 2, firstDelayMs: 0, stallMs: 20 } };
const noise = new Uint8Array(2 ** 16).fill(7);

after(removeBuild);

/** Numbers of a seed. */
function dice(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (most) => Math.floor(next() * most);
  return { below, chance: (share) => next() < share, one: (list) => list[below(list.length)] };
}

/** A file in two versions, of which a server that moves gives the second one from some request on. */
function makeFile(roll, index) {
  const versions = ["a", "b"].map((letter) => {
    const bytes = Uint8Array.from({ length: roll.below(roll.chance(0.1) ? 3 : 400) }, () => roll.below(256));
    return { bytes, etag: `"${letter}${index}"`, modified: `the day of ${letter}` };
  });
  // What neither header tells must be seen by the size.
  if (versions[0].bytes.length === versions[1].bytes.length) versions[1].bytes = new Uint8Array(500);
  return versions;
}

/** A server with habits of its own, which now and then does something else. */
function makeServer(seed) {
  const roll = dice(seed);
  const versions = makeFile(roll, seed);
  const habit = {
    ranges: roll.chance(0.7),
    etag: roll.chance(0.6),
    modified: roll.chance(0.5),
    length: roll.chance(0.8),
    hidesRange: roll.chance(0.15),
    stars: roll.chance(0.1),
    faults: roll.one([0, 0.1, 0.4, 0.9]),
    movesAt: roll.chance(0.3) ? roll.below(6) : Number.POSITIVE_INFINITY,
  };
  let requests = 0;
  let sent = 0;
  const answer = async (_url, { headers, signal }) => {
    requests += 1;
    const version = versions[requests > habit.movesAt ? 1 : 0];
    const fault = roll.chance(habit.faults) ? roll.one(FAULTS) : "none";
    if (fault === "refused") throw new TypeError("fetch failed");
    if (fault === "silent") {
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
    }
    if (fault === "status") return new Response(null, { status: roll.one(STATUSES) });
    return good(version, headers.Range, fault);
  };

  /** An answer that is right but for one fault. */
  function good(version, range, fault) {
    const { bytes } = version;
    const size = bytes.length;
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range) ?? [];
    assert.ok(first !== undefined, `a range is asked for, found ${range}`);
    const headers = {};
    if (habit.etag) headers.etag = version.etag;
    if (habit.modified) headers["last-modified"] = version.modified;
    let start = 0;
    let end = size;
    const isPart = habit.ranges && fault !== "whole";
    if (isPart) {
      start = Number(first);
      end = last === "" ? size : Math.min(size, Number(last) + 1);
      if (fault === "start") start = roll.below(size + 1);
      if (start >= size || start >= end) {
        return new Response(null, { status: 416, headers: { "content-range": `bytes */${size}` } });
      }
      if (!habit.hidesRange || fault === "start") headers["content-range"] = rangeOf(start, end, size, fault);
    }
    // A body that ends too soon or too late, without a word, can only be found out by a length.
    const mustTell = fault === "short" || fault === "longer" || !(habit.etag || habit.modified);
    if (habit.length || mustTell) headers["content-length"] = String(end - start);
    if (fault === "length") headers["content-length"] = String(roll.one([end - start + 1 + roll.below(9), 1e15, 1e9]));
    if (fault === "encoding") headers["content-encoding"] = "br";
    if (fault === "page") headers["content-type"] = "text/html";
    return new Response(bodyOf(bytes.subarray(start, end), fault), { status: isPart ? 206 : 200, headers });
  }

  function rangeOf(start, end, size, fault) {
    if (fault === "words") return roll.one(["bytes", "bytes 0-", `items ${start}-${end}/${size}`, "bytes a-b/c", ""]);
    // Nothing would contradict a wrong size that is told twice, or by a server that never tells another.
    if (fault === "total" && !habit.stars)
      return `bytes ${start}-${end - 1}/${roll.one([size + requests, 2 ** 50 + requests, 0])}`;
    return `bytes ${start}-${end - 1}/${habit.stars ? "*" : size}`;
  }

  function bodyOf(part, fault) {
    const pieces = [];
    for (let at = 0; at < part.length; ) {
      const length = 1 + roll.below(part.length);
      pieces.push(part.slice(at, at + length));
      at += length;
    }
    let ending = "end";
    if (["cut", "short", "stalls"].includes(fault)) pieces.splice(roll.below(pieces.length + 1));
    if (fault === "cut") ending = "error";
    if (fault === "stalls") ending = "never";
    if (fault === "longer") pieces.push(noise.slice(0, 1 + roll.below(50)));
    if (fault === "endless") ending = "more";
    return new ReadableStream(
      {
        pull(controller) {
          const piece = pieces.shift() ?? (ending === "more" ? noise : undefined);
          if (piece) {
            sent += piece.length;
            controller.enqueue(piece);
          } else if (ending === "error") controller.error(new TypeError("terminated"));
          else if (ending === "end") controller.close();
          else return new Promise(() => undefined);
        },
      },
      { highWaterMark: 0 },
    );
  }
  return { answer, versions, roll, habit, sent: () => sent };
}

const FAULTS = [
  ...["refused", "silent", "status", "whole", "start", "words", "total", "short", "cut", "stalls"],
  ...["longer", "endless", "length", "encoding", "page"],
];
const STATUSES = [204, 206, 304, 400, 401, 403, 404, 408, 410, 416, 418, 429, 500, 503];

/** Holds a part of the file already, or nothing. */
function makeKeeper({ roll, versions: [first] }) {
  const sink = new BlobSink();
  const part = first.bytes.slice(0, roll.below(first.bytes.length + 1));
  if (roll.chance(0.5) && part.length > 0) sink.write(part);
  return {
    async obtain(_path, fetch) {
      if (roll.chance(0.1)) return undefined;
      await fetch(sink);
      return sink.blob();
    },
  };
}

/** The file as a load reads it; gives what was read, by offset. */
async function readAll(url, server) {
  const { roll, versions } = server;
  const isListed = roll.chance(0.3);
  // A part that is kept is of the version that is known.
  const keeper = roll.chance(0.4) ? makeKeeper(server) : undefined;
  const [{ bytes, etag, modified }] = versions;
  const version = {
    size: bytes.length,
    etag: server.habit.etag ? etag : undefined,
    modified: server.habit.modified ? modified : undefined,
  };
  const file = isListed
    ? new HttpFile("config.json", () => ({ url }), net, { version, keeper })
    : await probe("config.json", { url }, net, { keeper: undefined, kept: roll.chance(0.3) ? version : undefined });
  if (!(file instanceof HttpFile)) return { size: undefined, reads: [] };
  const reads = [];
  const ask = async () => {
    const offset = roll.below(file.size + 1);
    const length = roll.below(file.size - offset + 1);
    reads.push({ offset, bytes: await file.read(offset, length) });
  };
  if (file.size > 1e6) await file.read(0, file.size);
  await ask();
  if (roll.chance(0.3)) await Promise.all([ask(), ask()]);
  else await ask();
  return { size: file.size, reads };
}

/** Throws where an input ends as it may not. */
async function tryOne(seed, servers) {
  const url = `http://server-${seed}.test/config.json`;
  const server = makeServer(seed);
  servers.set(url, server);
  const began = performance.now();
  let outcome;
  try {
    const { size, reads } = await readAll(url, server);
    // Before the first byte is read, nothing contradicts a size.
    const isRead = reads.some((read) => read.bytes.length > 0);
    const isOf = ({ bytes }) =>
      (size === bytes.length || !isRead) &&
      reads.every(
        (read) => Buffer.compare(read.bytes, bytes.subarray(read.offset, read.offset + read.bytes.length)) === 0,
      );
    assert.ok(size === undefined || server.versions.some(isOf), `wrong bytes, or bytes of two versions; size ${size}`);
    outcome = size === undefined ? "absent" : "read";
  } catch (error) {
    if (!(error instanceof WebtuneError)) throw error;
    outcome = error.code;
  } finally {
    servers.delete(url);
  }
  assert.ok(server.sent() <= MOST_BYTES * 4, `took ${server.sent()} bytes`);
  assert.ok(performance.now() - began < MOST_MS, `took ${performance.now() - began} ms`);
  return outcome;
}

test(`${INPUTS} servers with random answers, from seed ${SEED} on`, async (context) => {
  const servers = new Map();
  const real = globalThis.fetch;
  globalThis.fetch = (url, init) => servers.get(url).answer(url, init);
  const outcomes = {};
  let next = 0;
  const worker = async () => {
    while (next < INPUTS) {
      const seed = SEED + next;
      next += 1;
      // Time limits are turns of the event loop, which promises alone would never give up.
      await new Promise((resolve) => setImmediate(resolve));
      const late = setTimeout(() => assert.fail(`seed ${seed}: no end after ${MOST_MS} ms`), MOST_MS);
      try {
        const outcome = await tryOne(seed, servers);
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      } catch (error) {
        next = INPUTS;
        error.message = `WEBTUNE_FUZZ_SEED=${seed} WEBTUNE_FUZZ_INPUTS=1: ${error.message}`;
        throw error;
      } finally {
        clearTimeout(late);
      }
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: AT_ONCE }, worker));
  globalThis.fetch = real;
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  context.diagnostic(JSON.stringify(outcomes));
  if (INPUTS > 1000) {
    for (const outcome of ["read", "absent", "readFailed", "missingFile", "invalidFile"]) {
      assert.ok(outcomes[outcome] > 0, `some end in ${outcome}`);
    }
  }
});

/**
 * Engines that make the same calls, over message channels: bytes of a model, parts of a call, members that are late, lost or go another way.
 */
import assert from "node:assert/strict";
import { after, afterEach, test } from "node:test";
import { load, removeBuild } from "./package-under-test.mjs";

const { TeamLead, TeamMember } = await load("worker/team");
const { othersWithRoom, workersFor } = await load("worker/cores");

/** @type {MessagePort[]} */
const open = [];
afterEach(() => {
  for (const port of open.splice(0)) port.close();
});
after(removeBuild);

const file = {
  path: "model",
  size: 12,
  read: async (offset, length) => Uint8Array.from({ length }, (_, at) => offset + at),
};
const turn = () => new Promise((resolve) => setTimeout(resolve, 2));

/** Reads in another order than it asks, as a loader that reads ahead. */
async function readAll([given]) {
  const [second, first] = await Promise.all([given.read(4, 8), given.read(0, 4)]);
  return [...first, ...second];
}

/** A team of this many others; `does(member, call)` is what a member makes of a call. */
function team(count, does, { loads = readAll, locks } = {}) {
  const ports = Array.from({ length: count }, () => new MessageChannel());
  const members = ports.map(({ port1, port2 }, index) => {
    open.push(port1, port2);
    const state = { places: [], loaded: undefined };
    state.team = new TeamMember(
      port2,
      {
        load: async (model, files) => {
          state.loaded = { model, bytes: await loads(files, index) };
        },
        place: (...place) => state.places.push(place),
        perform: (call) => does(state.team, call, index),
      },
      locks,
    );
    return state;
  });
  const ways = ports.map(({ port1 }) => port1);
  return { lead: new TeamLead(ways, locks), members, ways };
}

/** What a member sends of each call, and what it is told. */
const echo = async (member, call, index) => {
  const told = await member.swap(Uint8Array.of(call, index));
  assert.deepEqual([...told], [call, 99]);
};

/** The first engine's side of the same. */
const own = (lead, call, parts) => async () => {
  for (const bytes of await lead.gather()) parts.push(bytes && [...bytes]);
  lead.tell(Uint8Array.of(call, 99));
  return parts;
};

test("members load what the first one reads, and get their places", async () => {
  const { lead, members } = team(2, echo);
  const [handed] = lead.load("how", [file], 2);
  assert.deepEqual(await readAll([handed]), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  assert.deepEqual(await lead.ready(), []);
  assert.equal(lead.place(), 3);
  await turn();
  for (const [index, { loaded, places }] of members.entries()) {
    assert.deepEqual(loaded, { model: "how", bytes: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11] });
    assert.deepEqual(places, [[index + 1, 3]]);
  }
});

test("those that there is no room for are let go, and one that cannot load is told", async () => {
  const loads = async (files, index) => {
    if (index === 1) throw new Error("out of memory");
    return readAll(files);
  };
  const { lead, members } = team(3, echo, { loads });
  const [handed] = lead.load("how", [file], 2);
  await readAll([handed]);
  assert.deepEqual(await lead.ready(), ["out of memory"]);
  assert.equal(lead.place(), 2);
  await Promise.all([members[1].team.left, members[2].team.left]);
  assert.equal(members[2].loaded, undefined);
});

test("a member that reads slowly holds the first one back, not for ever", async () => {
  let go;
  const held = new Promise((resolve) => {
    go = resolve;
  });
  const loads = async ([given]) => {
    await held;
    for (let at = 0; at < 12; at += 1) await given.read(at, 1);
  };
  const { lead } = team(1, echo, { loads });
  const [handed] = lead.load("how", [file], 1);
  let read = 0;
  const reading = (async () => {
    for (let at = 0; at < 12; at += 1) {
      await handed.read(at, 1);
      read += 1;
    }
  })();
  await turn();
  await turn();
  assert.equal(read, 4);
  go();
  await reading;
  assert.deepEqual(await lead.ready(), []);
});

test("calls come in order, and each member's part is its own", async () => {
  const { lead } = team(2, echo);
  for (const call of [1, 2, 3]) {
    const parts = [];
    assert.equal(await lead.together(call, own(lead, call, parts)), parts);
    assert.deepEqual(parts, [
      [call, 0],
      [call, 1],
    ]);
  }
});

test("a call that fails on the first engine leaves nothing behind for the next", async () => {
  const { lead } = team(2, echo);
  await assert.rejects(
    lead.together(1, async () => {
      throw new Error("a bad row");
    }),
    /a bad row/,
  );
  await turn();
  const parts = [];
  await lead.together(2, own(lead, 2, parts));
  assert.deepEqual(parts, [
    [2, 0],
    [2, 1],
  ]);
});

test("a member that ends a call in another way is missed, and has no place in the next", async () => {
  const does = async (member, call, index) => {
    if (index === 0) throw new Error("its own trouble");
    await echo(member, call, index);
  };
  const { lead, members } = team(2, does);
  const parts = [];
  await lead.together(1, own(lead, 1, parts));
  assert.deepEqual(parts, [undefined, [1, 1]]);
  await members[0].team.left;
  assert.equal(lead.place(), 2);
  await turn();
  assert.deepEqual(members[1].places, [[1, 2]]);
});

test("a member that dies is missed: told by its worker's owner, or by its lock", async () => {
  const waiting = new Map();
  const locks = {
    request: (name, work) => {
      if (waiting.has(name)) return new Promise((free) => waiting.get(name).push(() => free(work())));
      waiting.set(name, []);
      return Promise.resolve(work());
    },
  };
  const silent = (_member, _call, index) => (index === 0 ? echo(_member, _call, 0) : new Promise(() => undefined));
  for (const die of [
    (lead) => lead.lose(1, "the worker failed"),
    () => {
      const [, second] = [...waiting.values()];
      for (const free of second) free();
    },
  ]) {
    waiting.clear();
    const { lead } = team(2, silent, { locks });
    const [handed] = lead.load("how", [file], 2);
    await readAll([handed]);
    await lead.ready();
    const parts = [];
    const call = lead.together(1, own(lead, 1, parts));
    await turn();
    die(lead);
    await call;
    assert.deepEqual(parts, [[1, 0], undefined]);
  }
});

test("how many workers there are", () => {
  const GIB = 2 ** 30;
  const auto = [undefined, 1, 2, 8, 64].map((cores) => workersFor("auto", cores));
  assert.deepEqual(auto, [1, 1, 1, 7, 8]);
  assert.equal(workersFor(12, 2), 12);
  for (const wrong of [0, 1.5, 65, NaN, "3"]) assert.throws(() => workersFor(wrong, 8), { code: "invalidOption" });
  assert.equal(othersWithRoom([{ size: 90e6 }], 7, false, 8), 7);
  assert.equal(othersWithRoom([{ size: 0.5 * GIB }], 7, false, 8), 2);
  assert.equal(othersWithRoom([{ size: 0.5 * GIB }], 7, true, 8), 7);
  assert.equal(othersWithRoom([{ size: 2 * GIB }], 7, false, undefined), 0);
});

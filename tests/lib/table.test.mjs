/**
 * Tables of texts to be labelled: what is found out about a file, and which rows come out of it, piece by piece.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";
import { load, removeBuild } from "./package-under-test.mjs";

const { openTable } = await load("index");
const { firstRecords, recordsOf } = await load("table/records");
const known = await load("table/known-columns");
after(removeBuild);

const strict = { delimiter: ",", quoting: true, looseQuotes: false, firstOnly: false, returns: true };

/** A file of a few bytes a piece, so that every cut is tried. */
async function* cut(bytes, size) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function all(items) {
  const found = [];
  for await (const item of items) found.push(item);
  return found;
}

/** @param {string | Buffer} content */
async function read(name, content, options = {}, size = 7) {
  const table = await openTable(cut(Buffer.from(content), size), { name, ...options });
  return { ...table.reading, rows: await all(table.rows()) };
}

const textsOf = ({ rows }) => rows.map(({ text, textPair }) => (textPair === undefined ? text : [text, textPair]));

/** Numbers from 0 to 1, the same on every machine. */
function noise(state) {
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** The records of the csv crate, as the walk in src/data/scan.rs has them, which a test there compares with the crate. */
function byCrate(text) {
  const records = [];
  let fields = [];
  let at = "record";
  const end = () => {
    if (at !== "record") records.push(fields);
    fields = [];
    at = "record";
  };
  for (let index = 0; index < text.length; index += 1) {
    const char = text[index];
    const breaks = char === "\n" || char === "\r";
    if (char === "\r" && at !== "quoted" && text[index + 1] === "\n") index += 1;
    if (!breaks && at === "record") {
      fields.push("");
      at = "start";
    }
    if (at === "quoted" && char !== '"') fields[fields.length - 1] += char;
    else if (at === "quoted") at = "quote";
    else if (at === "quote" && char === '"') {
      fields[fields.length - 1] += char;
      at = "quoted";
    } else if (at === "start" && char === '"') at = "quoted";
    else if (breaks) end();
    else if (char === ",") {
      fields.push("");
      at = "start";
    } else {
      fields[fields.length - 1] += char;
      at = "field";
    }
  }
  const unclosed = at === "quoted";
  end();
  return unclosed ? undefined : records;
}

test("records are those of the engine's reader, whatever the quotes and the cuts", async () => {
  const random = noise(1);
  let compared = 0;
  for (let round = 0; round < 20_000; round += 1) {
    const text = Array.from({ length: 1 + Math.floor(random() * 14) }, () => 'a",\n\r;'[Math.floor(random() * 6)]).join(
      "",
    );
    const found = firstRecords(text, strict, true);
    // Nothing is lost, and nothing is said twice.
    assert.equal(found.map(({ raw, ending }) => raw + ending).join(""), text);
    const pieces = cut(Buffer.from(text), 1 + Math.floor(random() * 3));
    assert.deepEqual(await all(recordsOf(strings(pieces), strict)), found, JSON.stringify(text));
    if (found.some(({ problem }) => problem !== undefined)) continue;
    const expected = byCrate(text);
    const records = found.filter(({ raw }) => raw !== "").map(({ fields }) => fields);
    assert.deepEqual(records, expected, JSON.stringify(text));
    compared += 1;
  }
  assert.ok(compared > 8_000, `${compared} were compared`);
});

async function* strings(pieces) {
  for await (const piece of pieces) yield String(piece);
}

test("a quote that is never closed costs its own line", async () => {
  const { rows } = await read("a.csv", 'text,label\nfine,x\n"never closed,y\n"quoted, with ""two""",z\n\nlast,w\n');
  assert.deepEqual(
    rows.map(({ text, row, line, problem }) => [text, row, line, problem?.slice(0, 30)]),
    [
      ["fine", 2, 2, undefined],
      [undefined, 3, 3, "a double quote opens a cell he"],
      ['quoted, with "two"', 4, 4, undefined],
      ["last", 6, 6, undefined],
    ],
  );
});

test("a quote that is never closed in a long file is found without reading to its end", async () => {
  const more = Array.from(
    { length: 40_000 },
    (_, index) => `a text of some length that goes on for a while,${index}\n`,
  );
  const { rows } = await read("a.csv", `text,id\n"open,0\n${more.join("")}`, {}, 65536);
  assert.equal(rows.length, 40_001);
  assert.match(rows[0].problem, /never closed/);
  assert.equal(rows[1].text, "a text of some length that goes on for a while");
});

test("delimiter, header and text column are found or named", async () => {
  const semicolons = await read("a.csv", "id;message;topic\n1;where is it;parcel\n2;my money;refund\n");
  assert.deepEqual([semicolons.delimiter, semicolons.header, semicolons.textColumn], [";", true, "message"]);
  assert.deepEqual(textsOf(semicolons), ["where is it", "my money"]);

  const excel = await read("a.csv", "sep=|\r\ntext|x\r\nOne, two|1\r\n");
  assert.deepEqual([excel.delimiter, excel.columns], ["|", ["text", "x"]]);
  assert.deepEqual(
    excel.rows.map(({ text, row, line, ending }) => [text, row, line, ending]),
    [["One, two", 3, 3, "\r\n"]],
  );

  const bare = await read("a.csv", "7,the first text of two\n9,and this is another one\n");
  assert.deepEqual([bare.header, bare.columns, bare.textColumn], [false, ["Column 1", "Column 2"], "Column 2"]);
  assert.deepEqual(bare.firstRow, ["7", "the first text of two"]);
  assert.equal((await read("a.csv", "7,a\n9,b\n", { header: true })).columns[0], "7");

  const named = await read("a.csv", "text,Reply\na,b\n", { textColumn: "Reply" });
  assert.deepEqual(textsOf(named), ["b"]);
  await assert.rejects(read("a.csv", "text,Reply\na,b\n", { textColumn: "reply" }), {
    code: "invalidOption",
    message: 'textColumn: there is no column "reply"; the columns are: "text", "Reply"',
  });
  const tabs = await read("a.txt", "id\tquery\tn\n1\twhat\t2\n2\twho\t3\n");
  assert.deepEqual([tabs.format, tabs.textColumn], ["tsv", "query"]);
  const repeated = await read("a.csv", "text,text,,x\na,b,c,1\nd,e,f,2\n");
  assert.deepEqual(repeated.columns, ["text", "text (2)", "Column 3", "x"]);
});

test("one column, and one text a line, are tables too", async () => {
  const column = await read("a.csv", 'text\n"a text, with a comma"\nanother\n');
  assert.deepEqual(textsOf(column), ["a text, with a comma", "another"]);
  const lines = await read("texts.txt", 'No header, "as it is"\n\nA second, text; with this and, that\n');
  assert.deepEqual([lines.format, lines.header], ["lines", false]);
  assert.deepEqual(textsOf(lines), ['No header, "as it is"', "A second, text; with this and, that"]);
  assert.deepEqual(
    lines.rows.map(({ row }) => row),
    [1, 3],
  );
  const old = await read("mac.txt", "one, of all\rtwo\r");
  assert.deepEqual(textsOf(old), ["one, of all", "two"]);
});

test("pairs are read together where their columns are known or named", async () => {
  const csv = "premise,hypothesis,x\na,b,1\nc,d,2\n";
  assert.deepEqual(textsOf(await read("a.csv", csv)), [
    ["a", "b"],
    ["c", "d"],
  ]);
  assert.deepEqual(textsOf(await read("a.csv", csv, { textColumn: "hypothesis" })), ["b", "d"]);
  const named = await read("a.csv", csv, { textColumn: "hypothesis", textPairColumn: "x" });
  assert.deepEqual(textsOf(named), [
    ["b", "1"],
    ["d", "2"],
  ]);
  await assert.rejects(read("a.csv", csv, { textColumn: "x", textPairColumn: "x" }), { option: "textPairColumn" });
});

test("TSV keeps quotes that do not pair up, and a label before a tab is a column", async () => {
  const tsv = await read("a.tsv", 'text\tn\n"Quoted\t1\nit is 5" long\t2\n');
  assert.deepEqual(textsOf(tsv), ['"Quoted', 'it is 5" long']);
  const paired = await read("a.tsv", 'text\tn\n"a\tb"\t1\n');
  assert.deepEqual(textsOf(paired), ["a\tb"]);
  const labels = await read("a", "x\ta text\twith a tab\ny\tanother text\n");
  assert.deepEqual([labels.format, textsOf(labels)], ["labelTab", ["a text\twith a tab", "another text"]]);
});

test("JSON lines, with values that JSON does not have, and lines that are none", async () => {
  const lines = [
    '{"id": 1, "text": "a", "n": NaN}',
    "",
    '{"text": 5}',
    '{"text": null}',
    "{broken",
    '{"id": 2}',
    "[1]",
  ];
  const found = await read("a.jsonl", `${lines.join("\n")}\n`);
  assert.deepEqual([found.columns, found.textColumn], [["id", "text", "n"], "text"]);
  assert.deepEqual(
    found.rows.map(({ text, row, problem }) => [text, row, problem?.slice(0, 28)]),
    [
      ["a", 1, undefined],
      ["5", 3, undefined],
      ["", 4, undefined],
      [undefined, 5, "expected one whole JSON obje"],
      [undefined, 6, 'the key "text" is missing; t'],
      [undefined, 7, "expected a JSON object, foun"],
    ],
  );
  const message = /expected a JSON object on each line.*jq -c '\.\[\]' a\.json/;
  await assert.rejects(read("a.json", '[{"text": "a"}]'), { code: "invalidFile", message });
  await assert.rejects(read("a.json", '{\n  "text": "a"\n}\n'), { code: "invalidFile", message });
  await assert.rejects(read("a.jsonl", '{"data": [{"text": "a"}]}'), /found only lists and objects under data/);
});

test("every encoding gives the same rows", async () => {
  const text = "text,n\r\nGrüße – “so”,1\r\nzweite,2\r\n";
  const utf16 = Buffer.from(`\uFEFF${text}`, "utf16le");
  const files = {
    plain: [Buffer.from(text), {}],
    marked: [Buffer.from(`\uFEFF${text}`), {}],
    utf16le: [utf16, {}],
    utf16be: [Buffer.from(utf16).swap16(), {}],
    named: [utf16.subarray(2), { encoding: "utf-16le" }],
    windows: [
      Buffer.from("text,n\r\nGr\xfc\xdfe \x96 \x93so\x94,1\r\nzweite,2\r\n", "latin1"),
      { encoding: "windows-1252" },
    ],
    packed: [gzipSync(text), {}],
  };
  for (const [name, [bytes, options]] of Object.entries(files)) {
    for (const size of [1, 3, 1000]) {
      const found = await read(`${name}.csv`, bytes, options, size);
      assert.deepEqual(textsOf(found), ["Grüße – “so”", "zweite"], name);
      assert.deepEqual(found.columns, ["text", "n"], name);
    }
  }
});

test("what is no text is refused with what helps", async () => {
  const refused = (name, bytes, message, options) =>
    assert.rejects(read(name, bytes, options), { code: "invalidFile", file: name, message });
  await refused("a.xlsx", "PK\x03\x04 and more", /Excel workbook .*Save As, CSV UTF-8/);
  await refused("a.csv", Buffer.from("a,b\nc,d\n", "utf16le"), /UTF-16 text without a byte order mark/);
  await refused("a.csv", "text\nfine\nze\0ro\n", /zero byte on line 3/);
  await refused("a.csv", Buffer.from("text\nfine\ncaf\xe9 au lait\n", "latin1"), /line 3 .*Windows-1252/);
  await refused("a.gz", Buffer.concat([gzipSync("text\na\n").subarray(0, 15)]), /gzip file, but cannot be unpacked/);
  await refused("a.txt", "__label__x a text\n__label__y another\n", /fastText/);
  await assert.rejects(read("a.csv", " \n"), { code: "invalidData", message: /the file is empty/ });
  await assert.rejects(read("a.csv", "text,label\n"), { code: "invalidData", message: /no rows below the header/ });
  await assert.rejects(read("a.csv", "a\n", { delimiter: "ab" }), { code: "invalidOption", option: "delimiter" });
  await assert.rejects(read("a.jsonl", '{"text":"a"}', { header: true }), { option: "header" });
});

test("a file that fails to be read says so, and rows are read once", async () => {
  const failing = async function* () {
    yield Buffer.from(`text\n${"a row\n".repeat(60_000)}`);
    throw new Error("the disk is gone");
  };
  const table = await openTable(failing(), { name: "a.csv" });
  await assert.rejects(all(table.rows()), { code: "readFailed", message: /the disk is gone/ });
  const blob = await openTable(new File(["text\na\n"], "own.csv"));
  assert.equal(blob.reading.name, "own.csv");
  assert.equal((await all(blob.rows())).length, 1);
  await assert.rejects(all(blob.rows()), { code: "invalidState" });
});

test("a file is closed by whoever stops reading it, and where it is refused", async () => {
  let isOpen = false;
  const source = async function* (start) {
    isOpen = true;
    try {
      yield Buffer.from(start);
      for (;;) yield Buffer.from("one more row\n".repeat(10_000));
    } finally {
      isOpen = false;
    }
  };
  await assert.rejects(openTable(source("PK\x03\x04"), { name: "a.xlsx" }));
  assert.ok(!isOpen);
  await assert.rejects(openTable(source("text\na\n"), { name: "a.csv", textColumn: "x" }));
  assert.ok(!isOpen);
  const looked = await openTable(source("text\na\n"), { name: "a.csv" });
  await looked.close();
  assert.ok(!isOpen);
  const left = await openTable(source("text\na\n"), { name: "a.csv" });
  for await (const _ of left.rows()) break;
  assert.ok(!isOpen);
});

test("names of columns are those of the engine's reader", () => {
  const source = (file) => readFileSync(new URL(`../../src/data/${file}`, import.meta.url), "utf8");
  const listed = (text, name) =>
    [.../const NAME[^=]*= \[([^;]*)\];/.exec(text.replace(name, "NAME"))[1].matchAll(/"([^"]*)"/g)].map(
      ([, one]) => one,
    );
  const columns = source("columns.rs");
  assert.deepEqual(known.TEXT_NAMES, listed(columns, "TEXT_NAMES"));
  assert.deepEqual(known.LABEL_NAMES, listed(columns, "LABEL_NAMES"));
  assert.deepEqual(known.ID_NAMES, listed(columns, "ID_NAMES"));
  assert.deepEqual(known.PAIRS.flat(), listed(source("pairs.rs"), "PAIRS"));
});

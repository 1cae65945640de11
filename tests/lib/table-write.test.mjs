/**
 * Labelled tables as files: old columns stay as they were, new ones stand beside them, and a spreadsheet runs nothing of it.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { load, removeBuild } from "./package-under-test.mjs";

const { classifyRows, isFormula, openTable, writeTable, writtenName } = await load("index");
after(removeBuild);

const labels = ["parcel", "refund"];
/** The first label with 0.75, whatever the text; what it says of itself in brackets instead. */
const predict = async (texts) =>
  texts.map((given) => {
    const text = typeof given === "string" ? given : `${given.text} ${given.textPair}`;
    const [, label = labels[0], sure = "0.75"] = /\[(\S+) (\S+)\]/.exec(text) ?? [];
    return { label, labels: [label, "other"], probabilities: [Number(sure), 1 - Number(sure)], logits: [] };
  });

/** @param {string | Uint8Array} content @returns {Promise<string>} */
async function labelled(name, content, { options = {}, classify = {}, write = {}, ask = predict } = {}) {
  const table = await openTable(new File([content], name), options);
  const pieces = [];
  for await (const bytes of writeTable(table, classifyRows(ask, table.rows(), classify), write)) pieces.push(bytes);
  return Buffer.concat(pieces).toString();
}

test("every byte of the old columns stays, in any line ends", async () => {
  const old = '\uFEFFid;text;n\r\n007;"a ""quoted"" text";1,50\r\n\r\n 8 ;\'plain\';0\r\n9;"over\r\ntwo lines";-2';
  const written = await labelled("a.csv", old);
  const added = ["predicted_label;confidence", "parcel;0.7500", "parcel;0.7500", "parcel;0.7500"];
  assert.equal(
    written,
    '\uFEFFid;text;n;predicted_label;confidence\r\n007;"a ""quoted"" text";1,50;parcel;0.7500\r\n\r\n 8 ;\'plain\';0;parcel;0.7500\r\n9;"over\r\ntwo lines";-2;parcel;0.7500',
  );
  // Without what was added it is the file that came in.
  const left = added.reduce((text, cells) => text.replace(`;${cells}`, ""), written);
  assert.equal(left, old);
});

test("blank lines, a sep= line, an end without a line break and no header stay as they are", async () => {
  assert.equal(
    await labelled("a.csv", "sep=,\ntext,x\n\na,1\n\n\n"),
    "sep=,\ntext,x,predicted_label,confidence\n\na,1,parcel,0.7500\n\n\n",
  );
  assert.equal(
    await labelled("a.csv", "1,the first text\n2,a second text"),
    "1,the first text,parcel,0.7500\n2,a second text,parcel,0.7500",
  );
  assert.equal(
    await labelled("a.tsv", 'text\tn\nit is 5" long\t1\n'),
    'text\tn\tpredicted_label\tconfidence\nit is 5" long\t1\tparcel\t0.7500\n',
  );
});

test("under the threshold a label stays blank, and a row without a text too", async () => {
  const csv = "text,n\n[refund 0.79] a,1\n[refund 0.8] b,2\n,3\n";
  assert.equal(
    await labelled("a.csv", csv, { classify: { threshold: 0.8 } }),
    "text,n,predicted_label,confidence\n[refund 0.79] a,1,,0.7900\n[refund 0.8] b,2,refund,0.8000\n,3,,\n",
  );
});

test("rows that cannot be read are written as they were", async () => {
  const csv = 'text,n\na,1\nb,2,3\n"open,4\nc,5\n';
  assert.equal(
    await labelled("a.csv", csv),
    'text,n,predicted_label,confidence\na,1,parcel,0.7500\nb,2,3\n"open,4\nc,5,parcel,0.7500\n',
  );
  const json = '{"text": "a", "n": 1.0, "big": 12345678901234567890}\n{broken\n{"text": "b", "confidence": 1}\n{}\n';
  assert.equal(
    await labelled("a.jsonl", json.replace("{}", '{"text": ""}')),
    '{"text": "a", "n": 1.0, "big": 12345678901234567890, "predicted_label": "parcel", "confidence (2)": 0.75}\n{broken\n{"text": "b", "confidence": 1, "predicted_label": "parcel", "confidence (2)": 0.75}\n{"text": "", "predicted_label": null, "confidence (2)": null}\n',
  );
});

test("names of new columns are not those of old ones", async () => {
  const written = await labelled("a.csv", "text,Predicted_Label,confidence,confidence (2)\na,b,c,d\n");
  assert.match(written, /,predicted_label \(2\),confidence \(3\)\n/);
  // A member that only a later line has is not overwritten.
  const lines = `${'{"text": "a"}\n'.repeat(30_000)}{"text": "b", "confidence": 1}\n`;
  const ends = (await labelled("a.jsonl", lines)).slice(-40);
  assert.ok(ends.endsWith('\n{"text": "b", "confidence": 1}\n'), ends);
});

test("what a spreadsheet would run is a text in new cells, and in old ones if it is asked for", async () => {
  for (const cell of ["=1+1", "+A1", "-A1", "@SUM(A1)", "\tx", "\rx", "＝1", '=HYPERLINK("http://x","y")'])
    assert.ok(isFormula(cell), cell);
  for (const cell of ["", "a=b", "-1", "+1.5", "-1,5", "-12%", "1e5", "-3e-4", "'=1"])
    assert.ok(!isFormula(cell), cell);
  const csv = 'text,n\n"[=cmd|A0 0.9] a",-1\n"=SUM(A1,A2) [-1 0.9]",=B1\n[a,b 0.9],2\n';
  const kept = await labelled("a.csv", csv.replace("[a,b 0.9],2", '"[a,b 0.9]",2'));
  assert.equal(
    kept,
    'text,n,predicted_label,confidence\n"[=cmd|A0 0.9] a",-1,"\'=cmd|A0",0.9000\n"=SUM(A1,A2) [-1 0.9]",=B1,-1,0.9000\n"[a,b 0.9]",2,"a,b",0.9000\n',
  );
  const quoted = await labelled("a.csv", 'text,n\n"=SUM(A1,A2)",=B1\n"a",-1\n', { write: { formulas: "quote" } });
  assert.equal(
    quoted,
    'text,n,predicted_label,confidence\n"\'=SUM(A1,A2)","\'=B1",parcel,0.7500\n"a",-1,parcel,0.7500\n',
  );
  await assert.rejects(labelled("a.csv", csv, { write: { formulas: "drop" } }), { option: "formulas" });
});

test("a file of lines becomes CSV, and so does its name", async () => {
  const names = { "texts.txt": "lines", "a.b.csv": "csv", "a.tsv.gz": "tsv", rows: "jsonl" };
  assert.deepEqual(
    Object.entries(names).map(([name, format]) => writtenName({ name, format })),
    ["texts-labelled.csv", "a.b-labelled.csv", "a-labelled.tsv", "rows-labelled.jsonl"],
  );
  assert.equal(
    await labelled("texts.txt", 'Say "hi", please, now\nA line\n\n=1+1\n'),
    'text,predicted_label,confidence\n"Say ""hi"", please, now",parcel,0.7500\nA line,parcel,0.7500\n\n=1+1,parcel,0.7500\n',
  );
});

test("another encoding comes out as UTF-8 with a byte order mark", async () => {
  const latin = Buffer.from("text,n\r\nf\xfcr,1\r\n", "latin1");
  assert.equal(
    await labelled("a.csv", latin, { options: { encoding: "windows-1252" } }),
    "\uFEFFtext,n,predicted_label,confidence\r\nfür,1,parcel,0.7500\r\n",
  );
  const wide = Buffer.from("\uFEFFtext\tn\nfür\t1\n", "utf16le");
  assert.equal(await labelled("a.tsv", wide), "\uFEFFtext\tn\tpredicted_label\tconfidence\nfür\t1\tparcel\t0.7500\n");
});

test("several labels stand in one cell, or in a list", async () => {
  const ask = async (texts) =>
    texts.map((text) => ({
      label: text === "none" ? [] : ["a", "b"],
      labels: ["b", "c", "a"],
      probabilities: [0.6, 0.1, 0.9],
      logits: [],
    }));
  assert.equal(
    await labelled("a.csv", "text,n\nx,1\nnone,2\n", { ask }),
    "text,n,predicted_label,confidence\nx,1,a|b,0.9000|0.6000\nnone,2,,\n",
  );
  assert.equal(
    await labelled("a.jsonl", '{"text":"x"}\n', { ask, classify: { threshold: 0.7 } }),
    '{"text":"x", "predicted_label": ["a"], "confidence": [0.9]}\n',
  );
});

test("what was answered before a failure is written", async () => {
  let calls = 0;
  const ask = async (texts) => {
    calls += 1;
    if (calls === 3) throw new Error("the engine is gone");
    return predict(texts);
  };
  const table = await openTable(new File(["text,n\na,1\nb,2\nc,3\n"], "a.csv"));
  const written = [];
  const writing = async () => {
    const answers = classifyRows(ask, table.rows(), { batchRows: 1 });
    for await (const bytes of writeTable(table, answers)) written.push(Buffer.from(bytes).toString());
  };
  await assert.rejects(writing(), /the engine is gone/);
  assert.equal(written.join(""), "text,n,predicted_label,confidence\na,1,parcel,0.7500\nb,2,parcel,0.7500\n");
});

test("100,000 rows pass through without being held", async () => {
  const rows = 100_000;
  let made = 0;
  let written = 0;
  let furthest = 0;
  const source = async function* () {
    yield Buffer.from("id,text\n");
    for (; made < rows; made += 100) {
      furthest = Math.max(furthest, made - written);
      const lines = Array.from(
        { length: 100 },
        (_, index) => `${made + index},"a text of a hundred characters, ${"x".repeat(70)}"\n`,
      );
      yield Buffer.from(lines.join(""));
    }
  };
  let held = 0;
  let bytes = 0;
  const table = await openTable(source(), { name: "a.csv" });
  const answers = classifyRows(predict, table.rows());
  const tallied = async function* () {
    for await (const answer of answers) {
      written += 1;
      yield answer;
    }
  };
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  for await (const piece of writeTable(table, tallied())) {
    bytes += piece.length;
    held = Math.max(held, process.memoryUsage().heapUsed - before);
  }
  assert.equal(written, rows);
  assert.ok(bytes > rows * 100);
  // The beginning by which the file is told, two batches and a piece; the file has 12 MB.
  assert.ok(furthest < 8_000, `${furthest} rows were read ahead`);
  assert.ok(held < 100e6, `${held} bytes were held`);
});

/**
 * A file to be labelled is read as the same file would be as examples: by the engine itself, in Rust.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { ensureWasm } from "../../scripts/build-wasm.mjs";
import { load, removeBuild } from "./package-under-test.mjs";

const { openTable } = await load("index");
after(removeBuild);

/** @type {any} */
let engine;
before(async () => {
  const { outDir, name } = (await ensureWasm()).find(({ outDir }) => /cpu$/.test(outDir));
  engine = await import(pathToFileURL(join(outDir, `${name}.js`)).href);
  await engine.default({ module_or_path: readFileSync(join(outDir, `${name}_bg.wasm`)) });
});

/** Files that both read: name, content, options. @type {[string, string | Buffer, object?][]} */
const files = [
  ["comma.csv", "text,label\na b,x\nc d,y\n"],
  ["semicolon.csv", "label;text\nx;a, b\ny;c\n"],
  ["tab.csv", "id\ttext\tlabel\n1\ta\tx\n2\tb\ty\n3\tc\tx\n"],
  ["pipe.txt", "topic|message\nx|a, b\n"],
  ["no-header.csv", "where is my parcel,delivery\nmy money please,refund\nit is late,delivery\n"],
  ["unknown-names.csv", "Nachricht,Art\nwo ist es,a\nmein Geld,b\nzu spät,a\nnie da,a\nwann denn,b\n"],
  ["numbers.csv", "words,stars\ngood,5\nbad,1\nfine,3\n"],
  ["sep.csv", 'sep=;\r\ntext;label\r\n"a;b";x\r\nc;y\r\n'],
  ["sep-filled.csv", "sep=|||\ntext|label|n\na|x|1\nb|y|2\n"],
  ["quotes.csv", 'text,label\n"a ""quoted"" one",x\n"over\ntwo lines",y\n mid"quote,x\n'],
  ["stray.csv", 'text,label\n"a" b,x\nc,y\n'],
  ["blank-lines.csv", "\n\ntext,label\n\na,x\n \nb,y\n\n"],
  ["returns.csv", "text,label\ra,x\rb,y\r"],
  ["crlf.tsv", "text\tlabel\r\na b\tx\r\nc\ty\r\n"],
  ["loose.tsv", 'text\tlabel\n"open\tx\nit is 5" long\ty\n'],
  ["quoted.tsv", 'text\tlabel\n"a\tb"\tx\nc\ty\n'],
  ["marked.csv", "\uFEFFtext,label\na,x\nb,y\n"],
  ["utf16.csv", Buffer.from("\uFEFFtext,label\nä,x\nb,y\n", "utf16le")],
  ["latin.csv", Buffer.from("text,label\n\xe4 \x80,x\nb,y\n", "latin1"), { encoding: "windows-1252" }],
  ["repeated.csv", "text,text,,label\na,b,c,x\nd,e,f,y\n"],
  ["index.csv", ",text,label\n0,a,x\n1,b,y\n2,c,x\n"],
  ["pairs.csv", "premise,hypothesis,label\na,b,x\nc,d,y\n"],
  ["pairs-turned.csv", "label,sentence2,sentence1\nx,a,b\ny,c,d\n"],
  ["question-answer.csv", "question,answer,label\na,b,x\nc,d,y\n"],
  ["named.csv", "text,reply,label\na,b,x\nc,d,y\n", { textColumn: "reply" }],
  ["named-pair.csv", "one,two,label\na,b,x\nc,d,y\n", { textColumn: "one", textPairColumn: "two" }],
  ["forced.csv", "text,label\na,x\nb,y\n", { header: false }],
  ["delimiter.csv", "a,b|x\nc,d|y\ne,f|x\n", { delimiter: "|" }],
  ["longest.csv", "kind,much\nx,the longest text of all\ny,and another long text\nx,one more of these\ny,and so on\n"],
  ["lines.jsonl", '{"id":1,"text":"a","label":"x"}\n\n{"id":2,"text":"b","label":"y"}\n'],
  ["nan.jsonl", '{"n":NaN,"message":"a NaN","category":"x"}\n{"n":-Infinity,"message":"b","category":"y"}\n'],
  ["keys.jsonl", '{"label":"x","premise":"a","hypothesis":"b"}\n{"premise":"c","hypothesis":"d","label":"y"}\n'],
  ["label-first", "x\tthe first text\ny\tthe second one\nx\tthe third\n"],
];

test("delimiter, header, columns and texts are those of the engine", async () => {
  for (const [name, content, options = {}] of files) {
    const bytes = new Uint8Array(Buffer.from(content));
    const expected = engine.parseTable(name, bytes, options);
    const table = await openTable(new Blob([bytes]), { name, ...options });
    const { format, encoding, delimiter, header, columns, textColumn, textPairColumn } = table.reading;
    const texts = [];
    for await (const { text, textPair, row } of table.rows()) texts.push({ text, textPair, row });
    const trimmed = (/** @type {string | undefined} */ text) => text?.trim();
    assert.deepEqual(
      { format, encoding, delimiter, header, columns, textColumn, textPairColumn, texts },
      {
        format: expected.format,
        encoding: expected.encoding,
        delimiter: expected.format === "labelTab" ? undefined : (expected.delimiter ?? undefined),
        header: expected.header,
        columns: expected.columns,
        textColumn: expected.textColumn,
        textPairColumn: expected.textPairColumn ?? undefined,
        texts: expected.rows.map(({ text, textPair, row }) => ({
          text: trimmed(text),
          textPair: trimmed(textPair),
          row,
        })),
      },
      name,
    );
  }
});

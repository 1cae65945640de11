//! Tables and lists of labelled texts as spreadsheets, pandas and other libraries write them.

#![cfg(not(target_arch = "wasm32"))]

use std::io::Write;

use serde_json::{Value, json};
use webtune::Error;
use webtune::data::{ParseOptions, ParsedTable, TableFormat, TextEncoding, parse};

const TEXTS: [&str; 12] = [
    "The parcel arrived crushed",
    "My card was charged twice",
    "Where is my order now",
    "Refund has not come yet",
    "The courier never rang",
    "Invoice shows a wrong sum",
    "Box was left in the rain",
    "I want my money back",
    "Driver went to a wrong street",
    "Why two payments this month",
    "Tracking has not moved",
    "Cancel the second charge",
];

fn label(index: usize) -> &'static str {
    ["delivery", "billing"][index % 2]
}

fn options(given: Value) -> ParseOptions {
    serde_json::from_value(given).unwrap()
}

fn with(name: &str, content: impl AsRef<[u8]>, given: Value) -> Result<ParsedTable, Error> {
    parse(name, content.as_ref(), &options(given))
}

fn read(name: &str, content: impl AsRef<[u8]>) -> ParsedTable {
    with(name, content, json!({})).unwrap()
}

fn refuse(name: &str, content: impl AsRef<[u8]>) -> String {
    with(name, content, json!({})).unwrap_err().to_string()
}

/// The lines of all texts.
fn lines(line: impl Fn(usize, &str, &str) -> String) -> String {
    let lines = TEXTS.iter().enumerate();
    lines
        .map(|(index, text)| line(index, text, label(index)))
        .collect()
}

/// The twelve rows with their two labels, and nothing told.
fn is_whole(table: &ParsedTable) {
    let rows: Vec<_> = table
        .rows
        .iter()
        .map(|row| (&*row.text, &*row.label))
        .collect();
    let expected: Vec<_> = TEXTS
        .iter()
        .enumerate()
        .map(|(index, text)| (*text, label(index)))
        .collect();
    assert_eq!(rows, expected);
    assert!(table.empty_rows.is_empty() && table.skipped_rows.is_empty());
    assert_eq!(table.warnings, [""; 0]);
}

#[test]
fn a_line_that_names_the_delimiter_is_no_row() {
    for mark in ["sep=;\n", "\u{feff}sep=;\r\n", "SEP=;\n", "\"sep=;\"\n"] {
        let rows = lines(|_, text, label| format!("{text};{label}\n"));
        let table = read("a.csv", format!("{mark}text;label\n{rows}"));
        is_whole(&table);
        assert_eq!(
            (table.rows[0].row, table.delimiter.as_deref()),
            (3, Some(";"))
        );
    }
    let rows = lines(|index, text, label| format!("{index}|{text}|{label}\n"));
    let table = read("pasted", format!("sep=|\nid|text|label\n{rows}"));
    is_whole(&table);
    assert_eq!(table.columns, ["id", "text", "label"]);
    // the row number counts the line
    let error = refuse("a.csv", "sep=;\ntext;label\na b;x\nc;d;y\n");
    assert!(
        error.starts_with("a.csv, row 4: expected 2 columns as in row 2"),
        "{error}"
    );
}

#[test]
fn pipes_and_lines_of_old_macintoshes() {
    let rows = lines(|_, text, label| format!("{text}, thanks|{label}\n"));
    let table = read("a.csv", format!("text|label\n{rows}"));
    assert_eq!(
        (table.rows.len(), table.delimiter.as_deref()),
        (12, Some("|"))
    );
    assert_eq!(table.rows[0].text, "The parcel arrived crushed, thanks");
    for name in ["a.csv", "a.jsonl", "a.txt"] {
        let rows = match name {
            "a.jsonl" => lines(|_, text, label| {
                format!("{{\"text\": \"{text}\", \"label\": \"{label}\"}}\r")
            }),
            "a.csv" => lines(|_, text, label| format!("{text},{label}\r")),
            _ => lines(|_, text, label| format!("{label}\t{text}\r")),
        };
        is_whole(&read(name, rows));
    }
}

#[test]
fn headers_with_empty_repeated_and_unknown_names() {
    let rows = lines(|_, text, label| format!("{label},\"{text}\",,,\n"));
    let table = read("a.csv", format!("v1,v2,,,\n{rows}"));
    is_whole(&table);
    assert_eq!((&*table.text_column, &*table.label_column), ("v2", "v1"));
    assert_eq!(
        table.columns,
        ["v1", "v2", "Column 3", "Column 4", "Column 5"]
    );

    let rows = lines(|index, text, label| format!("{index},{text},{label}\n"));
    for header in [",tweets,feeling", "Unnamed: 0,words,what", ",x,x"] {
        let table = read("a.csv", format!("{header}\n{rows}"));
        is_whole(&table);
        assert!(table.header, "{header}");
    }
    // a column that counts the rows is no text and no label, with or without a header
    let table = read("a.csv", &rows);
    assert!(!table.header);
    assert_eq!(
        (&*table.text_column, &*table.label_column),
        ("Column 2", "Column 3")
    );
    is_whole(&table);
}

#[test]
fn what_was_found_can_be_changed() {
    let content = "greet,hello there\npart,so long\ngreet,hi to you\n";
    let table = read("a.csv", content);
    assert_eq!((table.header, table.rows.len()), (false, 3));
    let table = with("a.csv", content, json!({"header": true})).unwrap();
    assert_eq!(table.columns, ["greet", "hello there"]);
    assert_eq!(table.rows.len(), 2);
    let table = with("a.txt", "a b#x\nc d#y\n", json!({"delimiter": "#"})).unwrap();
    assert_eq!(
        (table.rows.len(), table.delimiter.as_deref()),
        (2, Some("#"))
    );
    let table = with("a.csv", "text,label\na b,x\n", json!({"header": false})).unwrap();
    assert_eq!(table.rows.len(), 2);
    for (given, option) in [
        (json!({"delimiter": "ab"}), "delimiter"),
        (json!({"delimiter": "é"}), "delimiter"),
        (json!({"delimiter": ",", "format": "jsonl"}), "delimiter"),
        (json!({"header": true, "format": "fastText"}), "header"),
    ] {
        let error = with("a.csv", content, given).unwrap_err();
        assert_eq!(
            (error.code(), error.report().option.as_deref()),
            ("invalidOption", Some(option))
        );
    }
}

#[test]
fn other_encodings_are_read() {
    let rows = lines(|_, text, label| format!("{text}\t{label}\n"));
    let whole = format!("text\tlabel\n{rows}");
    let units = || "\u{feff}".encode_utf16().chain(whole.encode_utf16());
    let little: Vec<u8> = units().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = units().flat_map(u16::to_be_bytes).collect();
    let table = read("a.tsv", &little);
    is_whole(&table);
    assert_eq!(table.encoding, TextEncoding::Utf16Le);
    let table = read("a.tsv", &big);
    is_whole(&table);
    assert_eq!(table.encoding, TextEncoding::Utf16Be);
    // without a mark, where it is named
    is_whole(&with("a.tsv", &little[2..], json!({"encoding": "utf-16le"})).unwrap());
    assert!(refuse("a.tsv", &little[2..]).contains("utf-16le or utf-16be"));
    assert!(refuse("a.tsv", &little[..little.len() - 1]).contains("odd"));

    let latin = b"text,label\ncaf\xe9 \x80 5 \x93so\x94,x\n";
    let error = parse("a.csv", latin, &ParseOptions::default()).unwrap_err();
    let report = serde_json::to_value(error.report()).unwrap();
    assert_eq!(
        (&report["code"], &report["remedy"]),
        (&json!("invalidFile"), &json!("readAsWindows1252"))
    );
    let table = with("a.csv", latin, json!({"encoding": "windows-1252"})).unwrap();
    assert_eq!(table.rows[0].text, "café € 5 “so”");
    assert_eq!(table.encoding, TextEncoding::Windows1252);
}

#[test]
fn gzip_is_unpacked() {
    let pack = |content: &[u8]| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(content).unwrap();
        packer.finish().unwrap()
    };
    let rows = lines(|_, text, label| format!("{text},{label}\n"));
    let packed = pack(format!("text,label\n{rows}").as_bytes());
    for name in ["a.csv.gz", "a.csv", "a.GZ", "data"] {
        is_whole(&read(name, &packed));
    }
    let rows =
        lines(|_, text, label| format!("{{\"text\": \"{text}\", \"label\": \"{label}\"}}\n"));
    is_whole(&read("a.jsonl.gz", pack(rows.as_bytes())));
    let error = refuse("a.csv.gz", &packed[..packed.len() - 9]);
    assert!(error.contains("cannot be unpacked"), "{error}");
    assert!(refuse("a.csv.gz", pack(b"%PDF-1.7\n")).contains("a PDF document"));
    assert!(refuse("a.csv.gz", pack(b"")).contains("the file is empty"));
}

#[test]
fn lines_of_fasttext_and_trec() {
    let rows = lines(|_, text, label| format!("__label__{label} {text}\n"));
    for name in ["a.txt", "train", "a.csv"] {
        let table = read(name, &rows);
        is_whole(&table);
        assert_eq!(
            (table.format, &*table.label_column),
            (TableFormat::FastText, "label")
        );
    }
    let table = read("a.txt", "__label__1 , so good, so far\nso bad __label__2\n");
    let rows: Vec<_> = table
        .rows
        .iter()
        .map(|row| (&*row.text, &*row.label))
        .collect();
    assert_eq!(rows, [("so good, so far", "1"), ("so bad", "2")]);
    let several = "__label__a x\n__label__a __label__b y\n__label__b z\n";
    let error = refuse("a.txt", several);
    assert!(
        error.starts_with(
            "a.txt, row 2: it has 2 labels (a, b); several labels for one text (multi-label)"
        ),
        "{error}"
    );
    let table = with("a.txt", several, json!({"skipBad": true})).unwrap();
    assert_eq!((table.rows.len(), table.skipped_rows[0].row), (2, 2));

    let trec = "DESC:manner How did serfdom develop , and leave Russia ?\nENTY:cremat What films featured it ?\n\
        DESC:def What is an atom ?\n";
    let table = read("train_5500.label", trec);
    assert_eq!(table.format, TableFormat::Trec);
    let rows: Vec<_> = table.rows.iter().map(|row| &*row.label).collect();
    assert_eq!(rows, ["DESC", "ENTY", "DESC"]);
    assert_eq!(table.rows[2].text, "What is an atom ?");
    assert!(table.warnings[0].contains("fine_label"));
    let table = with("a.label", trec, json!({"labelColumn": "fine_label"})).unwrap();
    assert_eq!(
        (&*table.rows[0].label, table.warnings.len()),
        ("DESC:manner", 0)
    );
}

#[test]
fn json_in_every_layout() {
    let objects: Vec<Value> = (0..12)
        .map(|index| json!({"text": TEXTS[index], "label": label(index)}))
        .collect();
    let pairs: Vec<Value> = (0..12)
        .map(|index| json!([TEXTS[index], label(index)]))
        .collect();
    let by_row = |cell: &dyn Fn(usize) -> Value| -> Value {
        (0..12)
            .map(|index| (index.to_string(), cell(index)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let text = |index: usize| json!(TEXTS[index]);
    let tag = |index: usize| json!(label(index));
    let layouts = [
        json!(objects),
        json!(pairs),
        json!({"version": "1.0", "data": objects}),
        json!({"train": pairs}),
        json!({"train": objects}),
        json!({"data": {"train": objects}}),
        json!({"tickets": objects}),
        json!({"text": by_row(&text), "label": by_row(&tag)}),
        json!({"text": TEXTS, "label": (0..12).map(label).collect::<Vec<_>>()}),
        by_row(&|index| objects[index].clone()),
        json!({"columns": ["text", "label"], "index": [0], "data": pairs}),
        json!({"rows": (0..12).map(|index| json!({"row_idx": index, "row": objects[index]})).collect::<Vec<_>>()}),
    ];
    for layout in layouts {
        for name in ["a.json", "a.jsonl", "pasted"] {
            is_whole(&read(name, layout.to_string()));
            is_whole(&read(name, format!("\u{feff}{layout:#}")));
        }
    }
    let of = |rows: &[Value], pretty: bool| -> String {
        let line = |row: &Value| {
            if pretty {
                format!("{row:#}\n")
            } else {
                format!("{row}\n")
            }
        };
        rows.iter().map(line).collect()
    };
    for content in [of(&objects, false), of(&pairs, false), of(&objects, true)] {
        is_whole(&read("a.json", &content));
    }
    let split = json!({"train": pairs, "val": [["a", "b"]], "test": []});
    let table = read("a.json", split.to_string());
    assert_eq!(table.rows.len(), 12);
    assert_eq!(
        table.warnings,
        ["the rows under \"train\" are read, and not \"val\" (1 rows)"]
    );
    assert!(read("pasted", "[urgent] help me,a\nso long,b\n").rows.len() == 2);
}

#[test]
fn numbers_that_json_does_not_have() {
    for number in ["NaN", "Infinity", "-Infinity", "[NaN, {\"a\": -Infinity}]"] {
        let rows = lines(|index, text, label| {
            let score = if index == 2 { number } else { "0.5" };
            format!("{{\"text\": \"{text}\", \"label\": \"{label}\", \"score\": {score}}}\n")
        });
        is_whole(&read("a.jsonl", &rows));
        let array = format!("[{}]", rows.trim().replace('\n', ",\n"));
        is_whole(&read("a.json", &array));
    }
    let table = read(
        "a.jsonl",
        "{\"text\": \"a \\\"NaN\\\" b\", \"label\": 1, \"x\": NaN}\n{\"text\": \"c\", \"label\": NaN}\n",
    );
    assert_eq!((&*table.rows[0].text, table.rows.len()), ("a \"NaN\" b", 1));
    assert_eq!(table.empty_rows, [2]);
}

#[test]
fn null_is_a_blank_label() {
    let rows = lines(|index, text, label| match index {
        5 => format!("{{\"text\": \"{text}\", \"label\": null}}\n"),
        _ => format!("{{\"text\": \"{text}\", \"label\": \"{label}\"}}\n"),
    });
    let table = read("a.jsonl", rows);
    assert_eq!((table.rows.len(), &*table.empty_rows), (11, &[6][..]));
}

#[test]
fn bad_rows_are_counted_and_can_be_left_out() {
    let content = "text,label\na b,x\nc,d,y\ne f,y\ng\nh,i,j\n";
    let error = parse("a.csv", content.as_bytes(), &ParseOptions::default()).unwrap_err();
    let report = serde_json::to_value(error.report()).unwrap();
    assert_eq!(
        (&report["row"], &report["remedy"]),
        (&json!(3), &json!("skipBad"))
    );
    assert!(error.to_string().contains("2 more of"), "{error}");
    let table = with("a.csv", content, json!({"skipBad": true})).unwrap();
    assert_eq!(table.rows.len(), 2);
    let skipped: Vec<_> = table.skipped_rows.iter().map(|one| one.row).collect();
    assert_eq!(skipped, [3, 5, 6]);
    let lines = "{\"text\": \"a\", \"label\": 1}\n{broken\n{\"text\": \"b\"}\n{\"text\": {}, \"label\": 1}\n7\n";
    let table = with("a.jsonl", lines, json!({"skipBad": true})).unwrap();
    assert_eq!((table.rows.len(), table.skipped_rows.len()), (1, 4));
    let first = format!("{{broken\n{}", &lines[..26]);
    assert_eq!(
        with("a.jsonl", first, json!({"skipBad": true}))
            .unwrap()
            .rows
            .len(),
        1
    );
    // nothing is left: no way on is offered
    let none = with(
        "a.jsonl",
        "{\"text\": [], \"label\": 1}\n",
        json!({"skipBad": true}),
    )
    .unwrap_err();
    assert_eq!((none.code(), none.report().remedy), ("invalidData", None));
}

#[test]
fn a_second_text_is_told() {
    for (one, other) in [
        ("sentence1", "sentence2"),
        ("premise", "hypothesis"),
        ("question", "answer"),
        ("left", "right"),
    ] {
        let rows = lines(|index, text, _| {
            format!(
                "{text},{},{}\n",
                TEXTS[(index + 2) % 12],
                ["same", "different"][index % 2]
            )
        });
        let table = read("a.csv", format!("{one},{other},label\n{rows}"));
        assert_eq!((table.rows.len(), &*table.label_column), (12, "label"));
        let [warning] = table.warnings.as_slice() else {
            panic!("{:?}", table.warnings)
        };
        let unread = if table.text_column == one { other } else { one };
        assert!(
            warning.contains(&format!("\"{unread}\"")) && warning.contains("pairs of texts"),
            "{warning}"
        );
    }
}

#[test]
fn several_labels_for_one_text_are_never_used_in_silence() {
    let rows = lines(|index, text, _| {
        format!(
            "000{index:x},\"{text}\",{},0,{},{}\n",
            index % 2,
            index % 3 / 2,
            index % 4 / 3
        )
    });
    let content = format!("id,comment_text,toxic,threat,obscene,insult\n{rows}");
    let error = refuse("a.csv", &content);
    for word in [
        "\"toxic\"",
        "\"threat\"",
        "\"insult\"",
        "multi-label",
        "labelColumn",
    ] {
        assert!(error.contains(word), "{error}");
    }
    let table = with("a.csv", &content, json!({"labelColumn": "toxic"})).unwrap();
    assert_eq!((table.rows.len(), table.label_counts.len()), (12, 2));

    let list = |index: usize| {
        if index % 3 == 0 {
            json!([label(index), "urgent"])
        } else {
            json!([label(index)])
        }
    };
    let rows =
        lines(|index, text, _| format!("{}\n", json!({"text": text, "labels": list(index)})));
    let error = refuse("a.jsonl", &rows);
    assert!(
        error.contains(
            "a list of 2 labels (delivery, urgent); several labels for one text (multi-label)"
        ),
        "{error}"
    );
    let table = with("a.jsonl", &rows, json!({"skipBad": true})).unwrap();
    assert_eq!((table.rows.len(), table.skipped_rows.len()), (8, 4));

    for mark in ["|", ";", ", "] {
        let rows = lines(|index, text, label| match index % 3 {
            0 => format!("{text}\t{label}{mark}urgent\n"),
            _ => format!("{text}\t{label}\n"),
        });
        let table = read("a.tsv", format!("text\tlabel\n{rows}"));
        assert!(
            table.warnings[0].contains("multi-label"),
            "{:?}",
            table.warnings
        );
    }
    // a mark that is part of a name
    let rows = lines(|_, text, label| format!("{text}\t{label}, other\n"));
    assert!(
        read("a.tsv", format!("text\tlabel\n{rows}"))
            .warnings
            .is_empty()
    );
}

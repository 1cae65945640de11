//! Tables and lines of labelled texts as spreadsheets, pandas and other libraries write them.

#![cfg(not(target_arch = "wasm32"))]

#[path = "common/labelled.rs"]
mod labelled;

use std::io::Write;

use labelled::{is_whole, lines, names, read, refuse, with};
use serde_json::json;
use webtune::data::{ParseOptions, ProblemType, TableFormat, TextEncoding, parse};

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
    // nor is one without values, whatever its name
    let rows = lines(|_, text, label| format!(",{text},{label}\n"));
    is_whole(&read("a.csv", format!("text,question,label\n{rows}")));
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
        .map(|row| (&*row.text, row.label.to_string()))
        .collect();
    let expected = [("so good, so far", "1"), ("so bad", "2")];
    assert_eq!(rows, expected.map(|(text, label)| (text, label.to_owned())));
    let several = "__label__a x\n__label__a __label__b y\n__label__b z\n";
    let table = read("a.txt", several);
    assert_eq!(names(&table), [&["a"][..], &["a", "b"], &["b"]]);
    assert_eq!(table.rows[1].text, "y");
    assert!(
        table.warnings[0].contains("multi-label"),
        "{:?}",
        table.warnings
    );
    let table = with("a.txt", several, json!({"labelSeparator": ""})).unwrap();
    assert_eq!(table.problem_type, ProblemType::SingleLabel);
    assert_eq!(table.rows[1].label.to_string(), "a b");

    // a label's mark is nine bytes long, and here the ninth is within a letter
    let table = read("a.txt", "__label__b one\nabcdefgh« two __label__a\n");
    let texts: Vec<_> = table.rows.iter().map(|row| &*row.text).collect();
    assert_eq!(texts, ["one", "abcdefgh« two"]);

    let trec = "DESC:manner How did serfdom develop , and leave Russia ?\nENTY:cremat What films featured it ?\n\
        DESC:def What is an atom ?\n";
    let table = read("train_5500.label", trec);
    assert_eq!(table.format, TableFormat::Trec);
    let rows: Vec<_> = table.rows.iter().map(|row| row.label.to_string()).collect();
    assert_eq!(rows, ["DESC", "ENTY", "DESC"]);
    assert_eq!(table.rows[2].text, "What is an atom ?");
    assert!(table.warnings[0].contains("fine_label"));
    let table = with("a.label", trec, json!({"labelColumn": "fine_label"})).unwrap();
    assert_eq!(
        (table.rows[0].label.to_string(), table.warnings.len()),
        ("DESC:manner".to_owned(), 0)
    );
}

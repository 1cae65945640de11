//! Files as people have them: each is read, or refused with a message that helps.

#![cfg(not(target_arch = "wasm32"))]

use proptest::prelude::*;
use webtune::Error;
use webtune::data::{
    Example, ParseOptions, ParsedTable, TableFormat, batches, check, length_sorted, parse,
    stratified,
};

fn read(name: &str, content: &str) -> ParsedTable {
    parse(name, content.as_bytes(), &ParseOptions::default()).unwrap()
}

fn refuse(name: &str, content: impl AsRef<[u8]>) -> Error {
    parse(name, content.as_ref(), &ParseOptions::default()).unwrap_err()
}

fn with_columns(text: Option<&str>, label: Option<&str>) -> ParseOptions {
    ParseOptions {
        text_column: text.map(str::to_owned),
        label_column: label.map(str::to_owned),
        ..ParseOptions::default()
    }
}

/// Text, label and row number of each row.
fn rows(table: &ParsedTable) -> Vec<(&str, &str, usize)> {
    table
        .rows
        .iter()
        .map(|row| (row.text.as_str(), row.label.names()[0].as_str(), row.row))
        .collect()
}

#[test]
fn a_table_speaks_the_border_types() {
    let table = read("a.csv", "text,label\nhello,greet\n");
    assert_eq!(
        serde_json::to_value(&table).unwrap(),
        serde_json::json!({
            "format": "csv", "encoding": "utf-8", "delimiter": ",", "header": true, "columns": ["text", "label"], "textColumn": "text", "textPairColumn": null,
            "labelColumn": "label", "labelColumns": [], "labelSeparator": null, "problemType": "single_label_classification",
            "rows": [{"text": "hello", "label": "greet", "row": 2}],
            "labelCounts": [{"label": "greet", "count": 1}],
            "emptyRows": [], "skippedRows": [], "duplicateRows": [], "conflictingRows": [], "warnings": [],
        })
    );
    let options: ParseOptions =
        serde_json::from_str(r#"{"format": "labelTab", "textColumn": "a"}"#).unwrap();
    assert_eq!(options.format, Some(TableFormat::LabelTab));
    assert!(serde_json::from_str::<ParseOptions>(r#"{"textcolumn": "a"}"#).is_err());
}

#[test]
fn byte_order_mark_and_windows_lines() {
    let table = read(
        "a.csv",
        "\u{feff}text,label\r\nhello, greet \r\nbye,part\r\n",
    );
    assert_eq!(table.columns, ["text", "label"]);
    assert_eq!(rows(&table), [("hello", "greet", 2), ("bye", "part", 3)]);
}

#[test]
fn quotes_hold_delimiters_line_breaks_and_quotes() {
    let table = read(
        "a.csv",
        "text,label\n\"one, two\",a\n\"line\r\nbreak\",b\n\n\"say \"\"hi\"\"\",a\n",
    );
    // A record with a line break is one row; a blank line counts as one.
    assert_eq!(
        rows(&table),
        [
            ("one, two", "a", 2),
            ("line\r\nbreak", "b", 3),
            ("say \"hi\"", "a", 5)
        ]
    );
    assert_eq!(table.empty_rows, Vec::<usize>::new());
}

#[test]
fn semicolons_and_tabs_are_found() {
    let table = read("a.csv", "text;label\nhello, you;a\nbye, you;b\n");
    assert_eq!(rows(&table), [("hello, you", "a", 2), ("bye, you", "b", 3)]);
    let table = read("a.csv", "text\tlabel\nhello, you\ta\n");
    assert_eq!(rows(&table), [("hello, you", "a", 2)]);
    assert_eq!(table.format, TableFormat::Csv);
    let table = read(
        "a.tsv",
        "id\tsentence\tlabel\n1\tit's \"so so\tneg\n2\t\"fine\" then\tpos\n",
    );
    // Quotes that do not pair up are ordinary characters in TSV.
    assert_eq!(
        rows(&table),
        [("it's \"so so", "neg", 2), ("\"fine\" then", "pos", 3)]
    );
    let table = read("a.tsv", "text\tlabel\n\"two\nlines\"\tpos\n");
    assert_eq!(rows(&table), [("two\nlines", "pos", 2)]);
}

#[test]
fn label_tab_text_needs_no_header() {
    let table = read(
        "pasted",
        "greet\t\"hello there\npart\tbye\tnow\n\ngreet\thi to you\n",
    );
    assert_eq!(table.format, TableFormat::LabelTab);
    assert_eq!(table.columns, ["Column 1", "Column 2"]);
    assert_eq!(
        rows(&table),
        [
            ("\"hello there", "greet", 1),
            ("bye\tnow", "part", 2),
            ("hi to you", "greet", 4)
        ]
    );
    let table = read(
        "a.txt",
        "how do you do\tgreet\nso long\tpart\nhi there\tgreet\n",
    );
    assert_eq!(table.format, TableFormat::Tsv);
    assert_eq!(rows(&table)[1], ("so long", "part", 2));
    let error = parse(
        "a.txt",
        b"a\tx\nno tab here\n",
        &ParseOptions {
            format: Some(TableFormat::LabelTab),
            ..ParseOptions::default()
        },
    );
    assert!(
        error
            .unwrap_err()
            .to_string()
            .starts_with("a.txt, row 2: expected 2 columns")
    );
}

#[test]
fn headers_are_told_from_data() {
    // Usual names.
    assert_eq!(
        read("a.csv", "Sentence,Category\nx y,a\n").columns,
        ["Sentence", "Category"]
    );
    // One usual name is enough where it is no value below.
    assert_eq!(
        read("a.csv", "utterance,foo\nx y,a\n").columns,
        ["utterance", "foo"]
    );
    // A label that is called like a column is not a header.
    let table = read(
        "a.csv",
        "How are you?,question\nI am well.,statement\nReally?,question\n",
    );
    assert_eq!(table.columns, ["Column 1", "Column 2"]);
    assert_eq!(table.rows.len(), 3);
    // Short words above few values, or above numbers.
    let rows = "send it back,a\nwhere is it,b\nlost my parcel,a\nthank you all,b\n";
    assert_eq!(
        read("a.csv", &format!("satz,klasse\n{rows}")).columns,
        ["satz", "klasse"]
    );
    assert_eq!(
        read("a.csv", "satz,klasse\nso so,0\nla la,1\n").columns,
        ["satz", "klasse"]
    );
    assert_eq!(read("a.csv", rows).columns, ["Column 1", "Column 2"]);
    // Names that are missing or repeat.
    let table = read("a.csv", ",text,text,label\n0,a b,c d,x\n");
    assert_eq!(table.columns, ["Column 1", "text", "text (2)", "label"]);
    assert_eq!(table.text_column, "text");
}

#[test]
fn columns_are_chosen_by_wish_by_name_and_by_content() {
    let content = "id,title,text,label,lang\n1,T one,some words here,a,en\n2,T two,other words,b,en\n3,T,more,a,en\n";
    let table = read("a.csv", content);
    assert_eq!(
        (&*table.text_column, &*table.label_column),
        ("text", "label")
    );
    let table = parse(
        "a.csv",
        content.as_bytes(),
        &with_columns(Some("title"), Some("lang")),
    )
    .unwrap();
    assert_eq!(rows(&table)[0], ("T one", "en", 2));
    let table = parse(
        "a.csv",
        content.as_bytes(),
        &with_columns(None, Some("text")),
    )
    .unwrap();
    assert_eq!(
        (&*table.text_column, &*table.label_column),
        ("title", "text")
    );

    let plain = "1,x,the first text of all,a\n2,x,another text,b\n3,x,a third text,a\n";
    let table = read("a.csv", plain);
    assert_eq!(
        (&*table.text_column, &*table.label_column),
        ("Column 3", "Column 4")
    );
    let table = parse(
        "a.csv",
        plain.as_bytes(),
        &with_columns(None, Some("Column 1")),
    )
    .unwrap();
    assert_eq!(&*table.label_column, "Column 1");

    let error = parse(
        "a.csv",
        content.as_bytes(),
        &with_columns(Some("body"), None),
    )
    .unwrap_err();
    assert_eq!(error.code(), "invalidData");
    assert_eq!(
        error.to_string(),
        "a.csv: textColumn: there is no column \"body\"; the columns are: \"id\", \"title\", \"text\", \"label\", \"lang\""
    );
    assert!(
        parse(
            "a.csv",
            content.as_bytes(),
            &with_columns(Some("id"), Some("id"))
        )
        .is_err()
    );
}

#[test]
fn empty_double_and_conflicting_rows_are_listed() {
    let table = read(
        "a.csv",
        "text,label\nhi,a\n hi ,a\nhi,b\n,a\nyes,\n  ,  \nhi,a\nbye,b\n",
    );
    assert_eq!(table.empty_rows, [5, 6, 7]);
    assert_eq!(table.duplicate_rows, [3, 8]);
    assert_eq!(table.conflicting_rows, [4, 8]);
    let counts: Vec<_> = table
        .label_counts
        .iter()
        .map(|c| (c.label.as_str(), c.count))
        .collect();
    assert_eq!(counts, [("a", 3), ("b", 2)]);
    assert_eq!(table.rows.len(), 5);
}

#[test]
fn json_lines() {
    let table = read(
        "a.jsonl",
        "{\"text\": \"one\\ntwo\", \"label\": 3, \"extra\": [1]}\n\n{\"label\": true, \"text\": \"x\"}\r\n",
    );
    assert_eq!(table.format, TableFormat::Jsonl);
    assert_eq!(table.columns, ["text", "label", "extra"]);
    assert_eq!(rows(&table), [("one\ntwo", "3", 1), ("x", "true", 3)]);
    let table = read("pasted", " {\"question\": \"why?\", \"intent\": \"ask\"}\n");
    assert_eq!(
        (&*table.text_column, &*table.label_column),
        ("question", "intent")
    );
    let table = read(
        "a.jsonl",
        "{\"foo\": \"a long text\", \"bar\": \"x\", \"baz\": [1]}\n{\"foo\": \"texts\", \"bar\": \"y\", \"baz\": null}\n",
    );
    assert_eq!((&*table.text_column, &*table.label_column), ("foo", "bar"));
}

#[test]
fn json_lines_that_are_wrong() {
    let row = |line: &str| {
        refuse(
            "a.jsonl",
            format!("{{\"text\":\"x\",\"label\":\"y\"}}\n{line}\n"),
        )
        .to_string()
    };
    assert_eq!(
        row("{\"text\": [\"x\"], \"label\": 1}"),
        "a.jsonl, row 2: text: expected a string, a number, true or false, found an array; mend this row, or leave it out (skipBad)"
    );
    assert_eq!(
        row("{\"text\": \"x\", \"lable\": 1}"),
        "a.jsonl, row 2: the key \"label\" is missing; the keys found are: \"text\", \"lable\"; mend this row, or leave it out (skipBad)"
    );
    let broken = row("{\"text\": \"x\", }");
    assert!(
        broken.starts_with(
            "a.jsonl, row 2: expected one whole JSON object per line, but trailing comma"
        ),
        "{broken}"
    );
    assert!(!broken.contains("line 1"), "{broken}");
    assert_eq!(
        row("17"),
        "a.jsonl, row 2: expected a JSON object, found a number; mend this row, or leave it out (skipBad)"
    );
    assert!(refuse("a.jsonl", "{}\n").to_string().contains("found only"));
}

#[test]
fn bytes_that_are_not_utf8_are_placed() {
    let error = refuse("a.csv", b"text,label\ncaf\xe9,x\n");
    assert_eq!(error.code(), "invalidFile");
    assert_eq!(
        error.to_string(),
        "a.csv: expected UTF-8 text, but the byte 0xE9 at byte offset 14 is not; save the file as UTF-8 and open it again, or read it as Windows-1252 (encoding) if an older Windows program wrote it"
    );
    // The offset counts the byte order mark.
    let error = refuse("a.csv", b"\xef\xbb\xbfa\xff");
    assert!(error.to_string().contains("byte offset 4"), "{error}");
}

#[test]
fn binary_files_are_named() {
    let cases: [(&[u8], &str); 7] = [
        (
            b"PK\x03\x04....xl/workbook.xml...",
            "an Excel workbook (.xlsx)",
        ),
        (b"PK\x03\x04....anything", "a zip archive"),
        (b"\x89PNG\r\n\x1a\n\0\0", "a PNG image"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"\xD0\xCF\x11\xE0\xA1\xB1", "an old Excel workbook"),
        (b"t\0e\0x\0t\0,\0", "UTF-16 text"),
        (b"text,label\nabc\0,x\n", "a zero byte at byte offset 14"),
    ];
    for (bytes, what) in cases {
        let error = refuse("data.csv", bytes);
        assert_eq!(error.code(), "invalidFile");
        let message = error.to_string();
        assert!(message.starts_with("data.csv: expected text"), "{message}");
        assert!(message.contains(what), "{message}");
    }
}

#[test]
fn files_without_rows() {
    for content in ["", "\u{feff}", " \r\n\n"] {
        let error = refuse("a.csv", content);
        assert_eq!(error.code(), "invalidData");
        assert!(error.to_string().contains("the file is empty"), "{error}");
    }
    let error = refuse("a.csv", "text,label\n").to_string();
    assert_eq!(
        error,
        "a.csv: there are no rows below the header (text, label)"
    );
    assert!(
        refuse("a.csv", "one\ntwo\n")
            .to_string()
            .contains("found one column")
    );
}

#[test]
fn ragged_rows_and_open_quotes_are_placed() {
    let error = refuse("a.csv", "text,label\n\"two\nlines\",a\n\nhello, you,b\n").to_string();
    assert!(
        error.starts_with("a.csv, row 4: expected 2 columns as in row 1, found 3;"),
        "{error}"
    );
    let error = refuse("a.csv", "text,label\nfine,a\n\"open,a\nmore,b\n").to_string();
    assert!(
        error.starts_with("a.csv, row 3: a double quote opens"),
        "{error}"
    );
}

#[test]
fn a_parsed_table_can_train() {
    let table = read("a.csv", "text,label\na b,x\nc d,y\ne f,x\ng h,y\n");
    let examples: Vec<Example> = table
        .rows
        .into_iter()
        .map(|row| Example::new(row.text, row.label))
        .collect();
    assert_eq!(check(&examples).unwrap().names(), ["x", "y"]);
}

fn quoted(field: &str) -> String {
    format!("\"{}\"", field.replace('"', "\"\""))
}

proptest! {
    #[test]
    fn a_split_covers_every_row_once(
        labels in prop::collection::vec(0usize..6, 0..200), share in 0.001f64..0.999, seed: u64,
    ) {
        let split = stratified(&labels, share, seed).unwrap();
        let mut all = [split.train.clone(), split.validation.clone()].concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..labels.len()).collect::<Vec<_>>());
        for label in 0..6 {
            let of = |rows: &[usize]| rows.iter().filter(|row| labels[**row] == label).count();
            let (train, validation) = (of(&split.train), of(&split.validation));
            if train + validation >= 2 {
                prop_assert!(train >= 1 && validation >= 1);
                let wanted = (train + validation) as f64 * share;
                prop_assert!((validation as f64 - wanted).abs() <= 1.0);
            }
        }
    }

    #[test]
    fn batches_cover_every_row_once(
        lengths in prop::collection::vec(0usize..512, 0..300), size in 1usize..40, seed: u64, epoch in 0usize..20,
    ) {
        for found in [batches(&lengths, size, seed, epoch).unwrap(), length_sorted(&lengths, size).unwrap()] {
            prop_assert_eq!(found.len(), lengths.len().div_ceil(size));
            prop_assert!(found.iter().all(|rows| !rows.is_empty() && rows.len() <= size));
            let mut all = found.concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..lengths.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), name in "[a-z.]{0,8}") {
        let _ = parse(&name, &bytes, &ParseOptions::default());
    }

    #[test]
    fn no_text_makes_the_parser_panic(
        text in "[a-c\",;\t\r\n {}:\\[\\]0é]{0,80}",
        name in prop::sample::select(vec!["a.csv", "a.tsv", "a.jsonl", "a.txt", "text"]),
        format in prop::sample::select(vec![
            None, Some(TableFormat::Csv), Some(TableFormat::Tsv), Some(TableFormat::Jsonl), Some(TableFormat::LabelTab),
        ]),
    ) {
        let options = ParseOptions { format, ..ParseOptions::default() };
        if let Ok(table) = parse(name, text.as_bytes(), &options) {
            let counted: usize = table.label_counts.iter().map(|count| count.count).sum();
            prop_assert_eq!(counted, table.rows.iter().map(|row| row.label.set().len()).sum::<usize>());
            prop_assert!(table.rows.is_sorted_by_key(|row| row.row));
        }
    }

    #[test]
    fn written_csv_reads_back(
        table in prop::collection::vec(("\\PC{0,20}[a-z,\"\n]{1,5}", "[a-z,;\"]{1,5}"), 1..20), crlf: bool,
    ) {
        let end = if crlf { "\r\n" } else { "\n" };
        let mut file = format!("text,label{end}");
        for (text, label) in &table {
            file += &format!("{},{}{end}", quoted(text), quoted(label));
        }
        let options = ParseOptions { label_separator: Some(String::new()), ..ParseOptions::default() };
        let found = parse("a.csv", file.as_bytes(), &options).unwrap();
        let expected: Vec<(&str, &str, usize)> = table
            .iter()
            .zip(2..)
            .filter(|((text, _), _)| !text.trim().is_empty())
            .map(|((text, label), row)| (text.as_str(), label.as_str(), row))
            .collect();
        prop_assert_eq!(rows(&found), expected);
    }

    #[test]
    fn written_json_lines_read_back(table in prop::collection::vec((".{0,20}x", "\\PC{0,5}y"), 1..20)) {
        let lines: Vec<String> = table
            .iter()
            .map(|(text, label)| serde_json::json!({"text": text, "label": label}).to_string())
            .collect();
        let found = parse("a.jsonl", lines.join("\n").as_bytes(), &ParseOptions::default()).unwrap();
        let expected: Vec<(&str, &str, usize)> =
            table.iter().zip(1..).map(|((text, label), row)| (text.as_str(), label.trim(), row)).collect();
        prop_assert_eq!(rows(&found), expected);
    }
}

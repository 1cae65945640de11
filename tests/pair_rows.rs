//! Rows that are pairs of texts: which columns are taken, what is said of it, and how it is changed.

#![cfg(not(target_arch = "wasm32"))]

#[path = "common/labelled.rs"]
mod labelled;

use labelled::{TEXTS, lines, read, refuse, with};
use serde_json::{Value, json};
use webtune::data::{Example, ParsedTable, check};

fn second(index: usize) -> &'static str {
    TEXTS[(index + 2) % 12]
}

fn tag(index: usize) -> &'static str {
    ["same", "different"][index % 2]
}

/// The twelve texts beside others, under these names.
fn table(one: &str, other: &str) -> String {
    let rows = lines(|index, text, _| format!("{text},{},{}\n", second(index), tag(index)));
    format!("{one},{other},label\n{rows}")
}

/// Both texts and the label of each row.
fn rows(table: &ParsedTable) -> Vec<(&str, Option<&str>, &str)> {
    let rows = table.rows.iter();
    rows.map(|row| (&*row.text, row.text_pair.as_deref(), &*row.label.names()[0]))
        .collect()
}

fn pairs() -> Vec<(&'static str, Option<&'static str>, &'static str)> {
    (0..12)
        .map(|index| (TEXTS[index], Some(second(index)), tag(index)))
        .collect()
}

#[test]
fn both_texts_of_a_known_pair_are_read() {
    for (one, other) in [
        ("sentence1", "sentence2"),
        ("premise", "hypothesis"),
        ("Question", "Answer"),
        ("question", "sentence"),
        ("query", "passage"),
        ("text", "text_pair"),
    ] {
        let found = read("a.csv", table(one, other));
        assert_eq!(rows(&found), pairs(), "{one}");
        assert_eq!(
            (&*found.text_column, found.text_pair_column.as_deref()),
            (one, Some(other))
        );
        let [warning] = found.warnings.as_slice() else {
            panic!("{:?}", found.warnings)
        };
        for words in [
            format!("\"{one}\""),
            format!("\"{other}\""),
            "pair of texts".into(),
        ] {
            assert!(warning.contains(&words), "{warning}");
        }
        // the order is the pair's, whatever the columns'
        let turned = lines(|index, text, _| format!("{},{},{text}\n", tag(index), second(index)));
        let found = read("a.csv", format!("label,{other},{one}\n{turned}"));
        assert_eq!(rows(&found), pairs(), "{one}");
        // one alone, where it is named
        for column in [one, other] {
            let found = with("a.csv", table(one, other), json!({"textColumn": column})).unwrap();
            assert_eq!(found.text_pair_column, None);
            let [warning] = found.warnings.as_slice() else {
                panic!("{:?}", found.warnings)
            };
            assert!(
                warning.contains("not read") && warning.contains("textPairColumn"),
                "{warning}"
            );
            let first = if column == one { TEXTS[0] } else { second(0) };
            assert_eq!(rows(&found)[0], (first, None, tag(0)));
        }
    }
}

#[test]
fn a_header_of_a_pair_is_one_whatever_the_label_is_called() {
    let rows = lines(|index, text, _| format!("{index},{text},{},{}\n", second(index), tag(index)));
    let found = read(
        "a.csv",
        format!("pairID,premise,hypothesis,verdict\n{rows}"),
    );
    assert!(found.header);
    assert_eq!((found.rows.len(), &*found.label_column), (12, "verdict"));
    assert_eq!(found.text_pair_column.as_deref(), Some("hypothesis"));
}

#[test]
fn a_longer_text_beside_a_pair_is_not_taken_for_it() {
    let rows = lines(|index, text, _| {
        let (other, tag) = (second(index), tag(index));
        format!("{text},{other},{tag},{text} and so {other} is {tag}\n")
    });
    let found = read(
        "a.csv",
        format!("premise,hypothesis,label,explanation_1\n{rows}"),
    );
    assert_eq!(
        (&*found.text_column, found.text_pair_column.as_deref()),
        ("premise", Some("hypothesis"))
    );
    assert!(
        found.warnings[1].contains("\"explanation_1\" holds texts too and is not read"),
        "{:?}",
        found.warnings
    );
}

#[test]
fn other_columns_become_a_pair_where_they_are_named() {
    let content = table("left", "right");
    let alone = read("a.csv", &content);
    assert_eq!(alone.text_pair_column, None);
    assert!(
        alone.warnings[0].contains("textPairColumn"),
        "{:?}",
        alone.warnings
    );
    let asked = json!({"textColumn": "left", "textPairColumn": "right"});
    let found = with("a.csv", &content, asked).unwrap();
    assert_eq!(rows(&found), pairs());
    assert_eq!(found.warnings, [""; 0]);
    // without a header too
    let (_, below) = content.split_once('\n').unwrap();
    let asked = json!({"textColumn": "Column 1", "textPairColumn": "Column 2"});
    assert_eq!(rows(&with("a.csv", below, asked).unwrap()), pairs());
    for (asked, words) in [
        (
            json!({"textPairColumn": "middle"}),
            "textPairColumn: there is no column \"middle\"",
        ),
        (
            json!({"textColumn": "left", "textPairColumn": "left"}),
            "the text and the second text would both",
        ),
        (
            json!({"labelColumn": "label", "textPairColumn": "label"}),
            "the label and the second text would both",
        ),
    ] {
        let error = with("a.csv", &content, asked).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let found = with(
        "a.txt",
        "x\ta text\ny\tan other\n",
        json!({"textColumn": "Column 1", "textPairColumn": "Column 2", "labelColumn": "Column 1"}),
    );
    assert!(found.is_err());
}

#[test]
fn json_holds_pairs_in_every_layout() {
    let row = |index: usize| json!({"premise": TEXTS[index], "hypothesis": second(index), "label": tag(index)});
    let objects: Vec<Value> = (0..12).map(row).collect();
    let column = |of: &dyn Fn(usize) -> Value| (0..12).map(of).collect::<Vec<_>>();
    let columns = json!({
        "premise": TEXTS, "hypothesis": column(&|index| json!(second(index))), "label": column(&|index| json!(tag(index))),
    });
    for content in [json!(objects), json!({"train": objects}), columns] {
        assert_eq!(rows(&read("a.json", content.to_string())), pairs());
    }
    for key in ["text_pair", "textPair"] {
        let content = lines(|index, text, _| {
            format!(
                "{}\n",
                json!({"text": text, key: second(index), "label": tag(index)})
            )
        });
        assert_eq!(rows(&read("a.jsonl", content)), pairs());
    }
}

#[test]
fn a_row_without_its_second_text_is_told() {
    let broken = |value: Value| {
        lines(|index, text, _| {
            let mut row = json!({"text": text, "text_pair": second(index), "label": tag(index)});
            if index == 4 {
                row["text_pair"] = value.clone();
            }
            format!("{row}\n")
        })
    };
    for blank in [json!(null), json!(" ")] {
        let found = read("a.jsonl", broken(blank));
        assert_eq!((found.rows.len(), &*found.empty_rows), (11, &[5][..]));
    }
    let found = read(
        "a.csv",
        table("text", "text_pair").replacen(second(4), "", 2),
    );
    assert_eq!(found.empty_rows.len(), 2);
    let error = refuse("a.jsonl", broken(json!(["x"])));
    assert!(
        error.contains("row 5: text_pair: expected a string") && error.contains("skipBad"),
        "{error}"
    );
    let missing = lines(|index, text, _| match index {
        4 => format!("{}\n", json!({"text": text, "label": tag(index)})),
        _ => format!(
            "{}\n",
            json!({"text": text, "text_pair": second(index), "label": tag(index)})
        ),
    });
    assert!(refuse("a.jsonl", &missing).contains("row 5: the key \"text_pair\" is missing"));
    let found = with("a.jsonl", &missing, json!({"skipBad": true})).unwrap();
    assert_eq!((found.rows.len(), found.skipped_rows[0].row), (11, 5));
}

#[test]
fn a_pair_repeats_where_both_texts_do() {
    let content = "premise,hypothesis,label\n\
                   a b,c d,x\na b,e f,y\n c d,a b,x\na b , c d,x\na b,c d,y\ne f,g h,y\n";
    let found = read("a.csv", content);
    assert_eq!(
        (&*found.duplicate_rows, &*found.conflicting_rows),
        (&[5][..], &[6][..])
    );
}

#[test]
fn the_rows_of_a_table_of_pairs_can_train() {
    let found = read("a.csv", table("sentence1", "sentence2"));
    let rows = serde_json::to_value(&found.rows).unwrap();
    assert_eq!(rows[0]["textPair"], json!(second(0)));
    let examples: Vec<Example> = serde_json::from_value(rows).unwrap();
    assert_eq!(examples[0].text_pair.as_deref(), Some(second(0)));
    assert!(check(&examples).is_ok());
    let written = serde_json::to_value(&examples[0]).unwrap();
    assert_eq!(written["textPair"], json!(second(0)));
    let one = serde_json::to_value(Example::new("a", "b")).unwrap();
    assert_eq!(one, json!({"text": "a", "label": "b"}));
    let line = json!({"text": "a", "text_pair": "c", "label": "b"});
    let read: Example = serde_json::from_value(line).unwrap();
    assert_eq!(read, Example::new("a", "b").with_pair("c"));
}

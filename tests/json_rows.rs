//! JSON of labelled texts in every layout, and rows that hold more or less than one text and one label.

#![cfg(not(target_arch = "wasm32"))]

#[path = "common/labelled.rs"]
mod labelled;

use labelled::{TEXTS, is_whole, label, lines, names, read, refuse, with};
use serde_json::{Value, json};
use webtune::data::{ParseOptions, ProblemType, TextOptions, TextRow, parse, parse_text_rows};

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
        ["the rows under \"train\" are read, and not \"val\" (1 row)"]
    );
    let split = json!({"data": {"train": pairs, "validation": {"text": ["a"], "label": ["b"]}, "test": pairs}});
    let table = read("a.json", split.to_string());
    assert_eq!(table.rows.len(), 12);
    assert_eq!(
        table.warnings,
        ["the rows under \"train\" are read, and not \"validation\", \"test\" (12 rows)"]
    );
    let error = refuse(
        "a.json",
        json!({"validation": pairs, "test": [["a", "b"]]}).to_string(),
    );
    for words in ["\"validation\" (12 rows), \"test\" (1 row)", "called train"] {
        assert!(error.contains(words), "{error}");
    }
    assert!(read("pasted", "[urgent] help me,a\nso long,b\n").rows.len() == 2);
}

/// A file of one conversation with turns before it, which are no rows of their own.
#[test]
fn one_row_with_lists_in_it_is_a_row() {
    let row = json!({"instruction": "And in Spanish?", "output": "Buenos dias", "history": [["Good morning in French?", "Bonjour"]]});
    let found = parse_text_rows(
        "a.json",
        row.to_string().as_bytes(),
        &TextOptions::default(),
    )
    .unwrap();
    assert_eq!((found.rows.len(), found.warnings.len()), (1, 0));
    let TextRow::Chat(turns) = &found.rows[0].content else {
        panic!("{:?}", found.rows)
    };
    assert_eq!(turns.len(), 4);
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
    // nothing is left: no remedy is offered
    let none = with(
        "a.jsonl",
        "{\"text\": [], \"label\": 1}\n",
        json!({"skipBad": true}),
    )
    .unwrap_err();
    assert_eq!((none.code(), none.report().remedy), ("invalidData", None));
}

#[test]
fn columns_of_0_and_1_are_labels_and_that_is_told() {
    let rows = lines(|index, text, _| {
        format!(
            "000{index:x},\"{text}\",{},0,{},{}\n",
            index % 2,
            index % 3 / 2,
            index % 4 / 3
        )
    });
    let content = format!("id,comment_text,toxic,threat,obscene,insult\n{rows}");
    let table = read("a.csv", &content);
    for word in [
        "\"toxic\"",
        "\"threat\"",
        "\"insult\"",
        "multi-label",
        "labelColumns",
    ] {
        assert!(table.warnings[0].contains(word), "{:?}", table.warnings);
    }
    assert_eq!(table.problem_type, ProblemType::MultiLabel);
    assert_eq!(
        table.label_columns,
        ["toxic", "threat", "obscene", "insult"]
    );
    let expected: Vec<Vec<&str>> = (0..12)
        .map(|index| {
            let has = [
                ("toxic", index % 2 == 1),
                ("obscene", index % 3 == 2),
                ("insult", index % 4 == 3),
            ];
            has.iter().filter(|one| one.1).map(|one| one.0).collect()
        })
        .collect();
    assert_eq!(names(&table), expected);
    // no label applies to a row of zeros, and it counts
    assert_eq!((table.rows.len(), table.empty_rows.len()), (12, 0));
    let given = json!({"labelColumns": ["insult", "toxic"]});
    let table = with("a.csv", &content, given).unwrap();
    assert_eq!(
        (names(&table)[3].clone(), table.warnings.len()),
        (vec!["insult", "toxic"], 0)
    );
    let bad = content.replacen(",1,0,0,0\n", ",1,0,2,0\n", 1);
    let all = json!({"labelColumns": ["toxic", "obscene"]});
    let error = with("a.csv", &bad, all.clone()).unwrap_err().to_string();
    assert!(
        error.contains("row 3: obscene: expected 0 or 1, found \"2\"; mend this row"),
        "{error}"
    );
    let mut skip = all;
    skip["skipBad"] = json!(true);
    let table = with("a.csv", &bad, skip).unwrap();
    assert_eq!((table.rows.len(), table.skipped_rows[0].row), (11, 3));
    for (given, words) in [
        (json!({"labelColumns": ["toxic"]}), "at least two columns"),
        (
            json!({"labelColumns": ["toxic", "x"]}),
            "there is no column \"x\"",
        ),
        (
            json!({"labelColumns": ["toxic", "insult"], "labelColumn": "toxic"}),
            "labelColumn",
        ),
    ] {
        let error = with("a.csv", &content, given).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let table = with("a.csv", &content, json!({"labelColumn": "toxic"})).unwrap();
    assert_eq!((table.rows.len(), table.label_counts.len()), (12, 2));
}

#[test]
fn lists_of_labels_are_read_with_those_of_none() {
    let list = |index: usize| {
        if index.is_multiple_of(3) {
            json!([label(index), "urgent"])
        } else {
            json!([label(index)])
        }
    };
    let rows =
        lines(|index, text, _| format!("{}\n", json!({"text": text, "labels": list(index)})));
    let table = read("a.jsonl", &rows);
    assert_eq!(table.problem_type, ProblemType::MultiLabel);
    assert_eq!(names(&table)[0], [label(0), "urgent"]);
    assert_eq!(names(&table)[1], [label(1)]);
    let counts: Vec<_> = table
        .label_counts
        .iter()
        .map(|one| (&*one.label, one.count))
        .collect();
    assert_eq!(counts, [("billing", 6), ("delivery", 6), ("urgent", 4)]);
    // a list of none beside longer ones: no label applies. A string is a list of one
    let more = format!(
        "{rows}{}\n{}\n",
        json!({"text": "a", "labels": []}),
        json!({"text": "b", "labels": "urgent"})
    );
    let table = read("a.jsonl", &more);
    assert_eq!(
        (names(&table)[12].len(), names(&table)[13].clone()),
        (0, vec!["urgent"])
    );
    let ones = lines(|_, text, label| format!("{}\n", json!({"text": text, "labels": [label]})));
    assert_eq!(read("a.jsonl", ones).problem_type, ProblemType::SingleLabel);
    let blank = format!("{rows}{}\n", json!({"text": "a", "labels": ["", "x"]}));
    let error = refuse("a.jsonl", blank);
    assert!(
        error.contains("row 13: labels: one of its labels is blank"),
        "{error}"
    );
}

#[test]
fn labels_with_a_separator_are_read_as_several_and_that_is_told() {
    for mark in ["|", ";", ", "] {
        let rows = lines(|index, text, label| match index % 3 {
            0 => format!("{text}\t{label}{mark}urgent\n"),
            _ => format!("{text}\t{label}\n"),
        });
        let content = format!("text\tlabel\n{rows}");
        let table = read("a.tsv", &content);
        assert!(
            table.warnings[0].contains("multi-label"),
            "{:?}",
            table.warnings
        );
        assert_eq!(table.label_separator.as_deref(), Some(mark.trim()));
        assert_eq!(
            (names(&table)[0].clone(), names(&table)[1].clone()),
            (vec![label(0), "urgent"], vec![label(1)])
        );
        let table = with("a.tsv", &content, json!({"labelSeparator": ""})).unwrap();
        assert_eq!(
            (table.problem_type, table.warnings.len()),
            (ProblemType::SingleLabel, 0)
        );
        assert_eq!(table.label_counts.len(), 4);
    }
    // asked for, where it would not be found
    let rows = lines(|index, text, label| format!("{text}\t{label}/{index}\n"));
    let content = format!("text\tlabel\n{rows}");
    let table = with("a.tsv", content, json!({"labelSeparator": "/"})).unwrap();
    assert_eq!(names(&table)[3], [label(3), "3"]);
    let rows = lines(|index, text, label| {
        format!("{text}\t['{label}'{}]\n", ["", ", 'urgent'"][index % 2])
    });
    let table = with(
        "a.tsv",
        format!("text\tlabel\n{rows}"),
        json!({"format": "csv", "delimiter": "\t"}),
    )
    .unwrap();
    assert!(
        table.warnings[0].contains("multi-label"),
        "{:?}",
        table.warnings
    );
    // a mark that is part of a name
    let rows = lines(|_, text, label| format!("{text}\t{label}, other\n"));
    assert!(
        read("a.tsv", format!("text\tlabel\n{rows}"))
            .warnings
            .is_empty()
    );
}

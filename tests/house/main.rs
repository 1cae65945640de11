//! The rules of the house: which room may name which, no circles, no file too long, every room on the map.
//!
//! `known.rs` lists by name what breaks a rule today. A new fault fails, and so does an entry whose fault is gone.
#![cfg(not(target_arch = "wasm32"))]

mod graph;
mod known;
mod rules;
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rules::{House, Row, listed, strangers};
use source::Crate;

/// Each room, from the ground up, and what it may name; it may also name what those may name, and itself.
/// A room is a folder of `src` or a file next to them; the longest name that fits a path counts.
const ROOMS: &[Row] = &[
    ("error", ""),
    ("hash", ""),
    ("json", ""),
    ("rng", ""),
    ("linalg", ""),
    ("options", ""),
    ("team", ""),
    ("device", "team"),
    ("formats", ""),
    ("text", ""),
    ("data", "text"),
    ("kernels", ""),
    ("layers", "kernels"),
    ("models", "layers formats data"),
    ("peft", "models"),
    ("eval", "peft data text"),
    ("train", "eval"),
    ("tasks", "train"),
    ("tasks/classify", "tasks"),
    ("tasks/language", "tasks"),
    ("export", "tasks/classify tasks/language"),
    ("benchmark", "tasks/classify"),
    ("wasm", "export benchmark"),
    ("types", "export"),
];

/// Rooms that anyone may name.
const OPEN_TO_ALL: &[&str] = &[
    "error", "device", "hash", "json", "rng", "linalg", "options", "team",
];

/// Crates that speak to the browser.
const BROWSER: &[&str] = &["js_sys", "web_sys", "wasm_bindgen", "serde_wasm_bindgen"];

const MOST_LINES: usize = 450;

/// Longer files that are to stay so, each with its reason.
const LONG_FILES: &[(&str, &str)] = &[
    (
        "www/lib/types/engine.ts",
        "generated from the Rust types, one file for all of them",
    ),
    (
        "www/lib/types/options.ts",
        "generated from the Rust options, one table for all calls",
    ),
];

fn house() -> House {
    House::new(ROOMS, OPEN_TO_ALL).unwrap()
}

/// Every file under the folder (path inside it, text), without those of other people and of builds.
fn files(folder: &str, endings: &[&str]) -> Vec<(String, String)> {
    fn visit(folder: &Path, inside: &str, endings: &[&str], found: &mut Vec<(String, String)>) {
        let mut entries: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        entries.sort();
        for path in entries {
            let name = path.file_name().unwrap().to_str().unwrap();
            let inside = format!("{inside}{name}");
            if path.is_dir() {
                // built, fetched or made by other programs
                if !["fixtures", "node_modules", "target", "wasm"].contains(&name) {
                    visit(&path, &format!("{inside}/"), endings, found);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push((inside, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    visit(&root, "", endings, &mut found);
    found
}

/// The crate's own source, the browser's room included.
fn own_source() -> Vec<(String, String)> {
    files("src", &[".rs"])
}

fn assert_none(rule: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{rule}:\n  {}", faults.join("\n  "));
}

#[test]
fn every_room_has_a_row() {
    let faults = house().rooms_without_row(&own_source());
    assert_none("rooms of src that ROOMS lacks", &faults);
}

#[test]
fn arrows_point_down() {
    let found = house().arrows_up(&Crate::read(&own_source()).unwrap());
    let unknown: Vec<String> = found
        .iter()
        .filter(|((from, to), _)| !known::ARROWS.contains(&(from, to)))
        .map(|((from, to), lines)| format!("src/{from} may not name {to}, lines {lines:?}"))
        .collect();
    assert_none("arrows up", &unknown);
    let gone: Vec<String> = known::ARROWS
        .iter()
        .filter(|(from, to)| !found.contains_key(&((*from).to_owned(), (*to).to_owned())))
        .map(|(from, to)| format!("src/{from} no longer names {to}"))
        .collect();
    assert_none("take these out of known::ARROWS", &gone);
}

#[test]
fn rooms_form_no_circle() {
    let source = Crate::read(&own_source()).unwrap();
    let faults = house().circles_of_rooms(&source, known::ARROWS);
    assert_none("circles between rooms", &faults);
}

#[test]
fn files_of_a_room_form_no_circle() {
    let circles = house().circles_of_files(&Crate::read(&own_source()).unwrap());
    let unknown: Vec<String> = circles
        .iter()
        .filter(|circle| {
            circle
                .iter()
                .any(|file| !known::CIRCLES.contains(&file.as_str()))
        })
        .map(listed)
        .collect();
    assert_none("files in a circle", &unknown);
    let found: BTreeSet<String> = circles.into_iter().flatten().collect();
    let gone: Vec<String> = known::CIRCLES
        .iter()
        .filter(|file| !found.contains(**file))
        .map(|file| format!("src/{file} is in no circle any more"))
        .collect();
    assert_none("take these out of known::CIRCLES", &gone);
}

#[test]
fn only_wasm_names_the_browser() {
    let faults = strangers(&Crate::read(&own_source()).unwrap(), "wasm", BROWSER);
    assert_none("the browser outside src/wasm", &faults);
}

#[test]
fn no_file_is_too_long() {
    let endings = [".rs", ".ts", ".tsx", ".mjs", ".js"];
    let mut long = BTreeSet::new();
    for folder in ["src", "tests", "benches", "fuzz", "www", "scripts"] {
        for (file, text) in files(folder, &endings) {
            if text.lines().count() > MOST_LINES {
                long.insert(format!("{folder}/{file}"));
            }
        }
    }
    let allowed: Vec<&str> = LONG_FILES.iter().map(|&(file, _)| file).collect();
    let allowed = [&allowed, known::LONG_FILES].concat();
    let unknown: Vec<String> = long
        .iter()
        .filter(|file| !allowed.contains(&file.as_str()))
        .cloned()
        .collect();
    assert_none(&format!("files above {MOST_LINES} lines"), &unknown);
    let gone: Vec<String> = allowed
        .iter()
        .filter(|file| !long.contains(**file))
        .map(|file| format!("{file} is short enough"))
        .collect();
    assert_none("take these out of the long files", &gone);
}

#[test]
fn every_room_is_on_the_map() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = fs::read_to_string(root.join("CONTRIBUTING.md")).unwrap();
    let map: String = guide.lines().filter(|line| line.starts_with('|')).collect();
    let of_src = ROOMS.iter().map(|(room, _)| format!("src/{room}"));
    let others = [
        "benches", "docs", "fuzz", "scripts", "tests", "www/app", "www/lib",
    ];
    let others = others.iter().map(|&room| room.to_owned());
    let faults: Vec<String> = of_src
        .chain(others)
        .filter(|room| {
            let exists = root.join(room).is_dir() || root.join(format!("{room}.rs")).is_file();
            exists && !map.contains(&format!("`{room}`"))
        })
        .collect();
    assert_none("rooms that the map in CONTRIBUTING.md lacks", &faults);
}

#[test]
fn one_version_in_every_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in ["package.json", "package-lock.json"] {
        let text = fs::read_to_string(root.join(file)).unwrap();
        let package: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(package["version"], env!("CARGO_PKG_VERSION"), "{file}");
    }
}

/// A tree of three rooms with every way to name another file.
fn made_up(files: &[(&str, &str)]) -> Crate {
    let files: Vec<_> = files
        .iter()
        .map(|&(path, text)| (path.to_owned(), text.to_owned()))
        .collect();
    Crate::read(&files).unwrap()
}

const MADE_UP: &[Row] = &[("cellar", ""), ("hall", "cellar"), ("attic", "hall")];

#[test]
fn the_reader_finds_arrows_up_and_circles() {
    let source = made_up(&[
        (
            "lib.rs",
            "pub mod cellar; pub mod hall; pub mod attic; pub use attic::roof::Roof;",
        ),
        (
            "cellar/mod.rs",
            "pub mod wine; mod shelf; pub use shelf::Shelf;",
        ),
        // up, by a use line over two lines and by an inline path
        (
            "cellar/wine.rs",
            "use crate::{\n  hall::Door as Way,\n};\nfn f() { crate::attic::roof::open(); }",
        ),
        // up, through what lib.rs re-exports
        ("cellar/shelf.rs", "use crate::Roof; pub struct Shelf;"),
        ("hall/mod.rs", "mod door; mod stairs; pub use door::Door;"),
        // a circle between two files, one of its arrows through the room's front door
        (
            "hall/door.rs",
            "use super::stairs::{self, Step}; pub struct Door;",
        ),
        ("hall/stairs.rs", "use super::Door; pub struct Step;"),
        ("attic/mod.rs", "pub mod roof;"),
        (
            "attic/roof.rs",
            "use crate::cellar::Shelf; use crate::hall; pub struct Roof;",
        ),
    ]);
    let house = House::new(MADE_UP, &[]).unwrap();
    let found = house.arrows_up(&source);
    let found: Vec<_> = found
        .iter()
        .map(|((from, to), lines)| (from.as_str(), to.as_str(), lines.as_slice()))
        .collect();
    assert_eq!(
        found,
        [
            ("cellar/shelf.rs", "attic", [1].as_slice()),
            ("cellar/wine.rs", "attic", [4].as_slice()),
            ("cellar/wine.rs", "hall", [2].as_slice()),
        ]
    );
    assert_eq!(house.circles_of_rooms(&source, &[]), ["attic, cellar"]);
    let known = [
        ("cellar/shelf.rs", "attic"),
        ("cellar/wine.rs", "attic"),
        ("cellar/wine.rs", "hall"),
    ];
    assert_eq!(house.circles_of_rooms(&source, &known), [""; 0]);
    let circles: Vec<String> = house.circles_of_files(&source).iter().map(listed).collect();
    assert_eq!(circles, ["hall/door.rs, hall/stairs.rs"]);
}

#[test]
fn the_reader_passes_over_comments_texts_and_unit_tests() {
    let source = made_up(&[
        ("lib.rs", "pub mod cellar; pub mod hall; pub mod attic;"),
        (
            "cellar.rs",
            "//! See crate::attic::Roof.\n/// `crate::hall::Door`\nconst NAME: &str = \"crate::attic\";\n\
             #[cfg(test)]\nmod tests { use crate::attic::Roof; use super::*; }\n\
             #[cfg(all(test, unix))]\nuse crate::hall::Door;\n\
             fn f<'a>(x: &'a str) -> impl Sized + use<'a> { x }",
        ),
        (
            "hall.rs",
            "mod inner { use super::super::cellar::NAME; } pub struct Door;",
        ),
        ("attic.rs", "pub struct Roof;"),
    ]);
    let house = House::new(MADE_UP, &[]).unwrap();
    assert!(house.arrows_up(&source).is_empty());
    let arrows: Vec<_> = source
        .arrows()
        .into_iter()
        .map(|arrow| format!("{} -> {:?}", arrow.from, arrow.to))
        .collect();
    assert_eq!(arrows, [r#"hall.rs -> File("cellar.rs")"#]);
}

#[test]
fn the_reader_finds_the_browser() {
    let source = made_up(&[
        (
            "wasm/mod.rs",
            "use js_sys::Array; use wasm_bindgen::prelude::*;",
        ),
        ("hall.rs", "fn f() { web_sys::window(); }"),
    ]);
    assert_eq!(
        strangers(&source, "wasm", BROWSER),
        ["hall.rs:1 names web_sys"]
    );
}

#[test]
fn rooms_are_found_by_their_longest_name() {
    let house = House::new(&[("a", ""), ("a/b", ""), ("c", "")], &[]).unwrap();
    let rooms = ["a/x.rs", "a/b/x.rs", "a/bc.rs", "c.rs", "d/e.rs"].map(|file| house.room_of(file));
    assert_eq!(rooms, ["a", "a/b", "a", "c", "d"]);
    let files = [("c.rs", ""), ("d/e.rs", ""), ("lib.rs", "")];
    let files = files.map(|(file, text)| (file.to_owned(), text.to_owned()));
    assert_eq!(house.rooms_without_row(&files), ["d"]);
    assert!(House::new(&[("a", "z")], &[]).is_err());
}
